// SPDX-License-Identifier: BSD-3-Clause
// What is common to all nouns and verbs: the options before them, help, errors, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/session/connection.h"

namespace drip::cli {

// What dripctl exits with; part of its contract (docs/guide/dripctl.md).
enum class Exit : int {
  kOk = 0,
  kRejected = 1,     // The call succeeded, the request was not admitted or was dropped.
  kUsage = 2,        // The command line is wrong; nothing was sent.
  kUnreachable = 3,  // No server answered.
  kNotFound = 4,
  kApiError = 5,  // Any other error that the server answered with.
};

// What a verb works with.
struct Session {
  Connection& connection;
  bool json = false;
};
using Verb = std::function<Exit(Session&)>;

class CommandLine {
 public:
  CommandLine();

  CLI::App* add_noun(const std::string& name, const std::string& what);
  // `examples`: command lines without the leading "dripctl ", shown under --help.
  CLI::App* add_verb(CLI::App* noun, const std::string& name, const std::string& what,
                     const std::vector<std::string>& examples, Verb run);
  // The verb that runs when the noun stands alone.
  void set_default_verb(CLI::App* noun, Verb run);

  // An exit code if there is nothing (more) to run: help was asked for, or the usage is wrong.
  std::optional<Exit> parse(int argc, const char* const* argv);
  // Runs the chosen verb; what goes wrong is on stderr. REQUIRES: parse() returned nothing.
  Exit run();

  // For shell completion: the words that may follow `path` (a noun, a noun and a verb, or none).
  std::vector<std::string> words_after(const std::vector<std::string>& path) const;

 private:
  CLI::App app_;
  std::string server_ = "127.0.0.1:50051";
  std::optional<std::chrono::nanoseconds> timeout_;
  bool json_ = false;
  Verb chosen_;
};

}  // namespace drip::cli
