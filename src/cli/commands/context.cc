// SPDX-License-Identifier: BSD-3-Clause
// The command `context`: list, use, show.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/session/contexts.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

// Paths, never what is in the files.
nlohmann::ordered_json json_of(const Contexts& contexts, const std::string& name) {
  const Context& context = contexts.by_name.at(name);
  nlohmann::ordered_json json;
  json["name"] = name;
  json["current"] = name == contexts.current;
  json["server"] = context.server;
  json["tls_ca"] = context.tls_ca;
  json["tls_cert"] = context.tls_cert;
  json["tls_key"] = context.tls_key;
  json["tls_server_name"] = context.tls_server_name;
  json["token_file"] = context.token_file;
  return json;
}

Exit list(Session& session, bool names_only) {
  const Contexts contexts = read_contexts();
  if (names_only) {
    for (const auto& [name, context] : contexts.by_name) print_line(name);
    return Exit::kOk;
  }
  if (session.json) {
    nlohmann::ordered_json json;
    json["contexts"] = nlohmann::ordered_json::array();
    for (const auto& [name, context] : contexts.by_name) {
      json["contexts"].push_back(json_of(contexts, name));
    }
    print(json);
    return Exit::kOk;
  }
  Table table({{"CURRENT", Table::Align::kLeft},
               {"CONTEXT", Table::Align::kLeft},
               {"SERVER", Table::Align::kLeft},
               {"TLS"},
               {"TOKEN FILE", Table::Align::kLeft}});
  for (const auto& [name, context] : contexts.by_name) {
    table.add({name == contexts.current ? "*" : "", name, context.server,
               yes_or_no(!context.tls_ca.empty() || !context.tls_cert.empty()),
               or_dash(context.token_file)});
  }
  table.print();
  return Exit::kOk;
}

void require(const Contexts& contexts, const std::string& name) {
  if (contexts.by_name.contains(name)) return;
  throw UsageError(fmt::format("there is no context '{}' in {}", name, contexts.path));
}

Exit use(Session& session, const std::string& name) {
  const Contexts contexts = read_contexts();
  require(contexts, name);
  use_context(contexts, name);
  if (session.json) {
    print(nlohmann::ordered_json{{"current", name}});
  } else {
    print_line(fmt::format("context {} is the current one", name));
  }
  return Exit::kOk;
}

Exit show(Session& session, const std::string& asked) {
  const Contexts contexts = read_contexts();
  const std::string name = asked.empty() ? contexts.current : asked;
  if (name.empty()) throw UsageError(fmt::format("{} has no current context", contexts.path));
  require(contexts, name);
  const nlohmann::ordered_json json = json_of(contexts, name);
  if (session.json) {
    print(json);
    return Exit::kOk;
  }
  Properties properties;
  properties.add("file", contexts.path);
  for (const auto& [key, value] : json.items()) {
    properties.add(
        key, value.is_boolean() ? yes_or_no(value.get<bool>()) : or_dash(value.get<std::string>()));
  }
  properties.print();
  return Exit::kOk;
}

}  // namespace

void add_context_command(CommandLine* line) {
  CLI::App* command = line->add_command(
      "context", "Servers under a name, from $XDG_CONFIG_HOME/dripctl/config.toml");
  auto names_only = std::make_shared<bool>(false);
  CLI::App* subcommand =
      line->add_subcommand(command, "list", "All contexts", {"context list"},
                           [names_only](Session& session) { return list(session, *names_only); });
  subcommand->add_flag("--names", *names_only, "Only the names")->group("");
  auto used = std::make_shared<std::string>();
  subcommand =
      line->add_subcommand(command, "use", "Make a context the current one", {"context use prod"},
                           [used](Session& session) { return use(session, *used); });
  subcommand->add_option("name", *used, "Name of the context")->required();
  auto shown = std::make_shared<std::string>();
  subcommand =
      line->add_subcommand(command, "show", "What a context has; without a name the current",
                           {"context show", "context show prod --json"},
                           [shown](Session& session) { return show(session, *shown); });
  subcommand->add_option("name", *shown, "Name of the context");
}

}  // namespace drip::cli
