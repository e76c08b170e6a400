// SPDX-License-Identifier: BSD-3-Clause
// What all subcommands share: global flags, help, errors, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/session/completion.h"
#include "cli/session/connection.h"

namespace drip::cli {

// dripctl's exit codes, documented in docs/guide/dripctl.md.
enum class Exit : int {
  kOk = 0,
  kRejected = 1,     // The call succeeded; the request was rejected, or dropped before its turn.
  kUsage = 2,        // The command line is wrong; nothing was sent.
  kUnreachable = 3,  // No server answered.
  kNotFound = 4,
  kApiError = 5,  // The server answered with any other error.
};

// What a subcommand works with.
struct Session {
  Connection& connection;
  bool json = false;
};
using Subcommand = std::function<Exit(Session&)>;

// `dripctl COMMAND SUBCOMMAND ...`: parses the arguments and runs one subcommand.
class CommandLine {
 public:
  CommandLine();

  CLI::App* add_command(const std::string& name, const std::string& help);
  // `examples` are command lines without "dripctl " in front, for --help.
  CLI::App* add_subcommand(CLI::App* command, const std::string& name, const std::string& help,
                           const std::vector<std::string>& examples, Subcommand run);
  // `run` is called for the command without a subcommand.
  void set_default_subcommand(CLI::App* command, Subcommand run);

  // Returns an exit code if there is nothing to run: after --help and --version, or for a wrong
  // command line, whose error is on stderr.
  std::optional<Exit> parse(int argc, const char* const* argv);
  // Runs the subcommand and writes its error, if any, to stderr. REQUIRES: parse() returned
  // nothing.
  Exit run();

  // For shell completion; see completion.h.
  Completion complete(const std::vector<std::string>& words) const {
    return cli::complete(app_, words);
  }
  // For tests: the words that may follow `path`, which is empty, a command, or a command and a
  // subcommand.
  std::vector<std::string> words_after(const std::vector<std::string>& path) const;

 private:
  CLI::App app_;
  EndpointFlags endpoint_;
  std::optional<std::chrono::nanoseconds> timeout_;
  bool json_ = false;
  Subcommand chosen_;  // What run() calls.
};

}  // namespace drip::cli
