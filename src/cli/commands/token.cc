// SPDX-License-Identifier: BSD-3-Clause
// The command `token`: create, list, revoke. It works on the file that dripd reads, and asks no
// server.
#include "access/token.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/role.h"
#include "access/token_file.h"
#include "base/errors.h"
#include "base/quantity.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

using access::Token;
using std::chrono::seconds;

constexpr std::int64_t kMostDays = 36'500;

struct TokenFlags {
  std::string file;
  std::string name;
  access::Role role = access::Role::kRead;
  std::string prefix;
  std::optional<seconds> expires;  // From now.
};

[[noreturn]] void fail(const absl::Status& status) {
  throw UsageError(std::string(message_of(status)));
}

template <class T>
T value_of(absl::StatusOr<T> value) {
  if (!value.ok()) fail(value.status());
  return *std::move(value);
}

// A file that does not exist has no tokens.
std::vector<Token> read(const std::string& path) {
  absl::StatusOr<std::vector<Token>> tokens = access::read_token_file(path);
  if (absl::IsNotFound(tokens.status())) return {};
  return value_of(std::move(tokens));
}

std::int64_t milliseconds_of(access::TokenTime time) {
  return std::chrono::milliseconds(time.time_since_epoch()).count();
}

nlohmann::ordered_json json_of(const Token& token) {
  nlohmann::ordered_json json;
  json["name"] = token.name;
  json["role"] = access::name_of(token.role);
  json["prefix"] = token.prefix;
  json["created_time"] = milliseconds_of(token.created);
  json["expires_time"] = token.expires ? milliseconds_of(*token.expires) : 0;
  return json;
}

Exit create(Session& session, const TokenFlags& flags) {
  const access::TokenFileLock lock = value_of(access::TokenFileLock::take(flags.file));
  std::vector<Token> tokens = read(flags.file);
  if (std::ranges::find(tokens, flags.name, &Token::name) != tokens.end()) {
    throw UsageError(fmt::format("{} has a token of the name {}; revoke it first", flags.file,
                                 drip::quoted(flags.name)));
  }
  const std::string secret = value_of(access::make_secret());
  Token token;
  token.name = flags.name;
  token.role = flags.role;
  token.prefix = flags.prefix;
  token.created = std::chrono::floor<seconds>(std::chrono::system_clock::now());
  if (flags.expires) token.expires = token.created + *flags.expires;
  token.digest = access::digest_of(secret);
  tokens.push_back(token);
  if (const absl::Status status = access::write_token_file(flags.file, tokens); !status.ok()) {
    fail(status);
  }
  if (session.json) {
    nlohmann::ordered_json json = json_of(token);
    json["secret"] = secret;
    print(json);
  } else {
    // Alone on standard output, so that it can go straight into a file.
    print_line(secret);
    fmt::print(stderr,
               "dripctl: token {} created in {}; this is the only time its secret is shown\n",
               token.name, flags.file);
  }
  return Exit::kOk;
}

Exit list(Session& session, const TokenFlags& flags) {
  const std::vector<Token> tokens = value_of(access::read_token_file(flags.file));
  if (session.json) {
    nlohmann::ordered_json json;
    json["tokens"] = nlohmann::ordered_json::array();
    for (const Token& token : tokens) json["tokens"].push_back(json_of(token));
    print(json);
    return Exit::kOk;
  }
  const auto now = std::chrono::system_clock::now();
  Table table({{"TOKEN", Table::Align::kLeft},
               {"ROLE", Table::Align::kLeft},
               {"PREFIX", Table::Align::kLeft},
               {"CREATED", Table::Align::kLeft},
               {"EXPIRES", Table::Align::kLeft}});
  for (const Token& token : tokens) {
    std::string expires = token.expires ? format_time(milliseconds_of(*token.expires)) : "never";
    if (token.expires && *token.expires <= now) expires += " (expired)";
    table.add({token.name, std::string(access::name_of(token.role)), or_dash(token.prefix),
               format_time(milliseconds_of(token.created)), expires});
  }
  table.print();
  return Exit::kOk;
}

Exit revoke(Session& session, const TokenFlags& flags) {
  const access::TokenFileLock lock = value_of(access::TokenFileLock::take(flags.file));
  std::vector<Token> tokens = value_of(access::read_token_file(flags.file));
  if (std::erase_if(tokens, [&](const Token& token) { return token.name == flags.name; }) == 0) {
    throw UsageError(
        fmt::format("{} has no token of the name {}", flags.file, drip::quoted(flags.name)));
  }
  if (const absl::Status status = access::write_token_file(flags.file, tokens); !status.ok()) {
    fail(status);
  }
  if (session.json) {
    print(nlohmann::ordered_json{{"name", flags.name}});
  } else {
    print_line(fmt::format("token {} revoked", flags.name));
  }
  return Exit::kOk;
}

// "90d", or what every duration is.
Parsed<seconds> parse_lifetime(std::string_view text) {
  constexpr std::string_view kAllowed = "a time from now, such as 90d, 12h or 30min";
  if (text.ends_with('d')) {
    const auto days = parse_integer(text.substr(0, text.size() - 1), 1, kMostDays);
    if (!days) return not_allowed<seconds>(text, kAllowed);
    return seconds(*days * 24 * 3600);
  }
  const auto span = parse_duration(text);
  if (!span || *span < seconds(1)) return not_allowed<seconds>(text, kAllowed);
  return std::chrono::floor<seconds>(*span);
}

Parsed<access::Role> parse_role(std::string_view text) {
  const std::optional<access::Role> role = access::role_named(text);
  if (!role) return not_allowed<access::Role>(text, access::kRoleNames);
  return *role;
}

// The text of an error, or none.
std::string name_error(const std::string& name) {
  return check_name("", name).ok()
             ? std::string()
             : argument_error(name,
                              "1 to 128 of A-Z a-z 0-9 . _ : / @ -, beginning with a letter "
                              "or a digit");
}

void add_file(CLI::App* app, const std::shared_ptr<TokenFlags>& flags) {
  app->add_option("--file", flags->file, "The file of tokens that dripd reads (--tokens)")
      ->type_name("FILE")
      ->required();
}

void add_name(CLI::App* app, const std::shared_ptr<TokenFlags>& flags) {
  app->add_option("name", flags->name, "Name of the token")->required()->check(name_error);
}

}  // namespace

void add_token_command(CommandLine* line) {
  CLI::App* command =
      line->add_command("token", "Bearer tokens in the file that dripd --tokens reads");
  auto created = std::make_shared<TokenFlags>();
  CLI::App* subcommand = line->add_subcommand(
      command, "create", "Make a token and print its secret, once",
      {"token create ci --role operate --prefix ci/ --expires 90d --file tokens.toml"},
      [created](Session& session) { return create(session, *created); });
  add_name(subcommand, created);
  add_file(subcommand, created);
  add_parsed(subcommand, "--role", "ROLE", "read, operate (also requests) or admin", parse_role,
             [created](access::Role role) { created->role = role; })
      ->required();
  subcommand->add_option("--prefix", created->prefix, "Only buckets whose names begin with it")
      ->type_name("TEXT")
      ->check(name_error);
  add_parsed(subcommand, "--expires", "TIME", "From then on it is refused: 90d, 12h [never]",
             parse_lifetime, [created](seconds span) { created->expires = span; });

  auto listed = std::make_shared<TokenFlags>();
  subcommand = line->add_subcommand(command, "list", "All tokens, without their secrets",
                                    {"token list --file tokens.toml"},
                                    [listed](Session& session) { return list(session, *listed); });
  add_file(subcommand, listed);

  auto revoked = std::make_shared<TokenFlags>();
  subcommand =
      line->add_subcommand(command, "revoke", "Remove a token: dripd refuses it within a second",
                           {"token revoke ci --file tokens.toml"},
                           [revoked](Session& session) { return revoke(session, *revoked); });
  add_name(subcommand, revoked);
  add_file(subcommand, revoked);
}

}  // namespace drip::cli
