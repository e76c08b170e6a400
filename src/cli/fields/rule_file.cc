// SPDX-License-Identifier: BSD-3-Clause
// Converts TOML to JSON first, so that there is one conversion to the API's message.
#include "cli/fields/rule_file.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <toml++/toml.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "cli/session/flags.h"

namespace drip::cli {
namespace {

std::string read_all(const std::string& path) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) throw UsageError(fmt::format("{}: {}", path, std::strerror(errno)));
  }
  std::istream& input = path == "-" ? std::cin : file;
  std::string text;
  try {
    text.assign(std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>());
  } catch (const std::ios_base::failure&) {  // A directory can be opened, but not read.
    throw UsageError(fmt::format("{}: cannot be read", path));
  }
  return text;
}

std::string toml_to_json(const std::string& text, const std::string& name) {
  try {
    std::ostringstream json;
    json << toml::json_formatter{toml::parse(text, name)};
    return json.str();
  } catch (const toml::parse_error& error) {
    const toml::source_position& where = error.source().begin;
    throw UsageError(
        fmt::format("{}:{}:{}: {}", name, where.line, where.column, error.description()));
  }
}

}  // namespace

v1::RuleSet read_rule_file(const std::string& path) {
  const std::string name = path == "-" ? "standard input" : path;
  const std::string text = read_all(path);
  const auto start = text.find_first_not_of(" \t\r\n");
  // An empty file is more likely a mistake than meant to delete all rules; for that there is `{}`.
  if (start == std::string::npos) {
    throw UsageError(name + ": is empty; allowed: a rule set, {} for one without rules");
  }
  // A TOML document cannot begin with a brace.
  const std::string json = text[start] == '{' ? text : toml_to_json(text, name);
  v1::RuleSet rule_set;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &rule_set);
  if (!status.ok()) throw UsageError(fmt::format("{}: {}", name, status.message().as_string()));
  return rule_set;
}

}  // namespace drip::cli
