// SPDX-License-Identifier: BSD-3-Clause
#include "cli/session/contexts.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "cli/session/connection.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

using Field = std::pair<std::string_view, std::string Context::*>;
constexpr Field kFields[] = {{"server", &Context::server},
                             {"tls_ca", &Context::tls_ca},
                             {"tls_cert", &Context::tls_cert},
                             {"tls_key", &Context::tls_key},
                             {"tls_server_name", &Context::tls_server_name},
                             {"token_file", &Context::token_file}};

std::string config_path() {
  const char* const config = std::getenv("XDG_CONFIG_HOME");
  if (config != nullptr && *config == '/') return std::string(config) + "/dripctl/config.toml";
  const char* const home = std::getenv("HOME");
  return std::string(home == nullptr ? "" : home) + "/.config/dripctl/config.toml";
}

class File {
 public:
  explicit File(std::string path) : path_(std::move(path)) {}

  Contexts read() const {
    Contexts contexts;
    contexts.path = path_;
    if (::access(path_.c_str(), F_OK) != 0) return contexts;
    try {
      const toml::table root = toml::parse_file(path_);
      for (const auto& [key, node] : root) {
        if (key.str() == "current") {
          contexts.current = text_of(node, "current");
        } else if (key.str() == "contexts") {
          read_all(node, contexts);
        } else {
          fail(key.source(), key.str(), "there is no such field; known are current, contexts");
        }
      }
      if (!contexts.current.empty() && !contexts.by_name.contains(contexts.current)) {
        fail(root.get("current")->source(), "current",
             fmt::format("there is no context '{}'", contexts.current));
      }
    } catch (const toml::parse_error& error) {
      fail(error.source(), "TOML", error.description());
    }
    return contexts;
  }

 private:
  [[noreturn]] void fail(const toml::source_region& where, std::string_view field,
                         std::string_view reason) const {
    throw UsageError(fmt::format("{}:{}:{}: {}: {}", path_, where.begin.line, where.begin.column,
                                 field, reason));
  }
  std::string text_of(const toml::node& node, std::string_view field) const {
    const auto text = node.is_string() ? node.value<std::string>() : std::nullopt;
    if (!text || text->empty()) fail(node.source(), field, "text in quotes is needed");
    return *text;
  }
  void read_all(const toml::node& node, Contexts& contexts) const {
    if (!node.is_table()) fail(node.source(), "contexts", "a table is needed");
    for (const auto& [key, one] : *node.as_table()) {
      const std::string name(key.str());
      const std::string path = "contexts." + name;
      if (!one.is_table()) fail(one.source(), path, "a table is needed");
      contexts.by_name.emplace(name, read_one(*one.as_table(), path));
    }
  }
  Context read_one(const toml::table& table, const std::string& path) const {
    Context context;
    for (const auto& [key, node] : table) {
      const auto* const field = std::ranges::find(kFields, key.str(), &Field::first);
      const std::string name = fmt::format("{}.{}", path, key.str());
      if (field == std::end(kFields)) {
        fail(key.source(), name,
             "there is no such field; known are server, tls_ca, tls_cert, tls_key, "
             "tls_server_name, token_file");
      }
      context.*field->second = text_of(node, name);
      if (key.str() != "server") continue;
      if (const auto error = address_error(context.server)) fail(node.source(), name, *error);
    }
    if (context.server.empty()) fail(table.source(), path + ".server", "missing");
    if (context.tls_cert.empty() != context.tls_key.empty()) {
      fail(table.source(), path, "tls_cert and tls_key go together");
    }
    return context;
  }

  const std::string path_;
};

// `text` in the quotes of TOML.
std::string quoted_toml(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

}  // namespace

Contexts read_contexts() { return File(config_path()).read(); }

void use_context(const Contexts& contexts, const std::string& name) {
  std::ifstream file(contexts.path);
  std::string line;
  std::string text;
  // Where `current` is, counted from 1; 0: nowhere, and it becomes the first line.
  std::size_t at = 0;
  if (!contexts.current.empty()) {
    at = toml::parse_file(contexts.path).get("current")->source().begin.line;
  }
  const std::string current = "current = " + quoted_toml(name) + "\n";
  if (at == 0) text = current;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    text += number == at ? current : line + "\n";
  }
  const std::string written = contexts.path + ".new";
  std::ofstream out(written, std::ios::trunc);
  out << text << std::flush;
  if (!out || std::rename(written.c_str(), contexts.path.c_str()) != 0) {
    throw UsageError(fmt::format("{}: cannot be written", contexts.path));
  }
}

}  // namespace drip::cli
