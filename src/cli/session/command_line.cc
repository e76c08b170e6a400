// SPDX-License-Identifier: BSD-3-Clause
// Parses the command line, runs one subcommand, and turns errors into one line and an exit code.
#include "cli/session/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/session/flags.h"

namespace drip::cli {
namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 ok, 1 request rejected, 2 usage, 3 server unreachable, 4 not found,\n"
    "5 any other error of the API; of doctor: 1 something is bad.";
constexpr const char* kGlobalFlags[] = {
    "--server",  "--context",         "--tls",        "--tls-ca",  "--tls-cert",
    "--tls-key", "--tls-server-name", "--token-file", "--timeout", "--json"};

void print_error(std::string_view code, std::string_view message) {
  fmt::print(stderr, "dripctl: {}: {}\n", code, message);
}

void collect_words(const CLI::App* app, std::vector<std::string>* words) {
  const auto add_once = [words](std::string word) {  // Each option group has a --help of its own.
    if (std::ranges::find(*words, word) == words->end()) words->push_back(std::move(word));
  };
  for (const CLI::Option* option : app->get_options()) {
    if (option->get_group().empty()) continue;  // Hidden from --help.
    for (const std::string& name : option->get_lnames()) add_once("--" + name);
  }
  for (const CLI::App* subcommand : app->get_subcommands({})) {
    if (subcommand->get_name().empty()) {
      collect_words(subcommand, words);  // An option group.
    } else {
      add_once(subcommand->get_name());
    }
  }
}

// The flags that may follow a subcommand.
std::vector<std::string> flags_of(const CLI::App* subcommand) {
  std::vector<std::string> words;
  collect_words(subcommand, &words);
  for (const char* global : kGlobalFlags) words.emplace_back(global);
  return words;
}

// An error if an argument is not UTF-8. Protobuf does not send such a text, and the call would fail
// without a reason.
std::optional<std::string> utf8_error(std::span<const char* const> words) {
  for (std::size_t i = 1; i < words.size(); ++i) {
    try {
      (void)nlohmann::json(words[i]).dump();
    } catch (const nlohmann::json::type_error&) {
      const std::string shown =
          nlohmann::json(words[i]).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
      const std::string_view before = words[i - 1];
      return fmt::format("{}: {} is not allowed; allowed: UTF-8",
                         before.starts_with("--") ? before : "an argument", shown);
    }
  }
  return std::nullopt;
}

// CLI11's own message is "A subcommand is required", which names neither the wrong word nor the
// subcommands that there are.
std::string explain(const CLI::ParseError& error, const CLI::App* deepest,
                    const std::vector<std::string>& unknown_words) {
  std::string names;
  for (const CLI::App* subcommand : deepest->get_subcommands({})) {
    if (subcommand->get_name().empty()) continue;
    names.append(names.empty() ? "" : ", ").append(subcommand->get_name());
  }
  if (names.empty()) {
    // CLI11 lists the unknown words in reverse order, and no flags that are allowed.
    const auto flag = std::find_if(unknown_words.begin(), unknown_words.end(),
                                   [](const std::string& word) { return word.starts_with("-"); });
    if (flag == unknown_words.end()) return error.what();
    return argument_error(*flag, fmt::format("{}", fmt::join(flags_of(deepest), ", ")));
  }
  if (!unknown_words.empty()) return argument_error(unknown_words.front(), names);
  const char* const missing = deepest->get_parent() == nullptr ? "a command" : "a subcommand";
  return fmt::format("{} is missing; allowed: {}", missing, names);
}

}  // namespace

CommandLine::CommandLine()
    : app_("Configures Drip, a leaky-bucket packet shaper, over gRPC.", "dripctl") {
  app_.require_subcommand(1);
  app_.fallthrough();  // --server, --timeout and --json may stand anywhere.
  app_.get_formatter()->column_width(34);
  app_.set_version_flag("--version", "dripctl " DRIP_VERSION);
  app_.add_option("--server", endpoint_.server,
                  "Where dripd listens: host:port or unix:PATH [that of the context, else "
                  "127.0.0.1:50051]")
      ->envname("DRIPCTL_SERVER")
      ->type_name("ADDR")
      ->check([](const std::string& address) { return address_error(address).value_or(""); });
  app_.add_option("--context", endpoint_.context, "A context of `dripctl context list`")
      ->envname("DRIPCTL_CONTEXT")
      ->type_name("NAME");
  app_.add_flag("--tls", endpoint_.tls,
                "TLS, with the CAs of this machine unless --tls-ca is given");
  app_.add_option("--tls-ca", endpoint_.tls_ca, "CA of the server's certificate, PEM; means --tls")
      ->type_name("FILE");
  app_.add_option("--tls-cert", endpoint_.tls_cert, "Certificate to show to the server, PEM")
      ->type_name("FILE");
  app_.add_option("--tls-key", endpoint_.tls_key, "Key of the certificate, PEM")->type_name("FILE");
  app_.add_option("--tls-server-name", endpoint_.tls_server_name,
                  "Name in the server's certificate [the host of --server]")
      ->type_name("NAME");
  app_.add_option("--token-file", endpoint_.token_file,
                  "File with a token of `dripctl token create` [DRIPCTL_TOKEN: the token itself]")
      ->type_name("FILE");
  add_parsed(
      &app_, "--timeout", "DURATION",
      "How long a call may take [10s]; `request await` and `bucket watch` have no limit unless\n"
      "it is given",
      [](std::string_view text) { return parse_duration(text); },
      [this](std::chrono::nanoseconds timeout) { timeout_ = timeout; });
  app_.add_flag("--json", json_, "Write JSON: the API's field names, numbers as numbers");
  app_.footer(std::string("Rates: 100mbit, 2.5gbit, 10kpps, 10/s, 1/h; sizes: 1500b, 64kb; "
                          "times: 20ms, 1.5s.\n") +
              kExitCodes + "\nHelp on a subcommand: dripctl COMMAND SUBCOMMAND --help");
}

CLI::App* CommandLine::add_command(const std::string& name, const std::string& help) {
  CLI::App* command = app_.add_subcommand(name, help);
  command->require_subcommand(1);
  return command;
}

CLI::App* CommandLine::add_subcommand(CLI::App* command, const std::string& name,
                                      const std::string& help,
                                      const std::vector<std::string>& examples, Subcommand run) {
  CLI::App* subcommand = command->add_subcommand(name, help);
  std::string footer = "Examples:\n";
  for (const std::string& example : examples) footer += "  dripctl " + example + "\n";
  subcommand->footer(footer + "\n--server, --timeout and --json: see dripctl --help.");
  subcommand->callback([this, run = std::move(run)] { chosen_ = run; });
  return subcommand;
}

void CommandLine::set_default_subcommand(CLI::App* command, Subcommand run) {
  command->require_subcommand(0, 1);
  // CLI11 calls this after the callback of a subcommand, which has set chosen_ then.
  command->callback([this, run = std::move(run)] {
    if (!chosen_) chosen_ = run;
  });
}

std::optional<Exit> CommandLine::parse(int argc, const char* const* argv) {
  if (const auto error = utf8_error({argv, static_cast<std::size_t>(argc)})) {
    print_error("USAGE", *error);
    return Exit::kUsage;
  }
  try {
    app_.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::Success& help_or_version) {
    app_.exit(help_or_version, std::cout, std::cerr);
    return Exit::kOk;
  } catch (const CLI::ParseError& error) {
    std::string path = "dripctl";
    CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) {
      app = app->get_subcommands().front();
      path += " " + app->get_name();
    }
    print_error("USAGE",
                fmt::format("{} (see {} --help)", explain(error, app, app_.remaining(true)), path));
    return Exit::kUsage;
  }
}

Exit CommandLine::run() {
  try {
    Connection connection(endpoint_, timeout_);
    Session session{connection, json_};
    return chosen_(session);
  } catch (const CallError& error) {
    print_error(code_name(error.code()), error.what());
    if (!error.server_reached()) return Exit::kUnreachable;
    return error.code() == grpc::StatusCode::NOT_FOUND ? Exit::kNotFound : Exit::kApiError;
  } catch (const UsageError& error) {
    print_error("USAGE", error.what());
    return Exit::kUsage;
  }
}

std::vector<std::string> CommandLine::words_after(const std::vector<std::string>& path) const {
  std::vector<std::string> words;
  const CLI::App* app = &app_;
  for (const std::string& name : path) {
    const auto next = app->get_subcommands(
        [&](const CLI::App* candidate) { return candidate->get_name() == name; });
    if (next.empty()) return words;
    app = next.front();
  }
  collect_words(app, &words);
  if (app != &app_) words.insert(words.end(), std::begin(kGlobalFlags), std::end(kGlobalFlags));
  return words;
}

}  // namespace drip::cli
