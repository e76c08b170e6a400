// SPDX-License-Identifier: BSD-3-Clause
#include "access/token_file.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/errors.h"
#include "base/file_descriptor.h"
#include "base/text.h"

namespace drip::access {
namespace {

constexpr const char* kName =
    "1 to 128 of A-Z a-z 0-9 . _ : / @ - are needed, the first a letter or a digit";
constexpr std::string_view kFields = "name, role, prefix, created, expires, sha256";

absl::Status error_at(const std::string& path, const toml::source_region& where,
                      std::string_view field, std::string_view reason) {
  return absl::InvalidArgumentError(
      joined(path, ":", where.begin.line, ":", where.begin.column, ": ", field, ": ", reason));
}

std::string reason_of(int error) { return std::generic_category().message(error); }

absl::StatusOr<std::string> content_of(const std::string& path) {
  const FileDescriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    const std::string text = joined(path, ": cannot be read: ", reason_of(errno));
    return errno == ENOENT ? absl::NotFoundError(text) : absl::InvalidArgumentError(text);
  }
  struct stat file {};
  if (fstat(fd.get(), &file) != 0 || !S_ISREG(file.st_mode)) {
    return absl::InvalidArgumentError(joined(path, ": is no file"));
  }
  if ((file.st_mode & S_IWOTH) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("{}: mode {:04o} is not allowed: others can write it, and so make tokens; "
                    "allowed: 0600 or 0640",
                    path, file.st_mode & 07777));
  }
  std::string text;
  char chunk[4096];
  for (;;) {
    const ssize_t size = read(fd.get(), chunk, sizeof chunk);
    if (size < 0) return absl::InvalidArgumentError(joined(path, ": ", reason_of(errno)));
    if (size == 0) return text;
    text.append(chunk, static_cast<std::size_t>(size));
  }
}

std::optional<TokenDigest> digest_of_hex(std::string_view hex) {
  TokenDigest digest{};
  if (hex.size() != 2 * digest.size()) return std::nullopt;
  const auto value = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = value(hex[2 * i]);
    const int low = value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

std::optional<TokenTime> time_of(const toml::node& node) {
  const auto value = node.value<toml::date_time>();
  if (!value || !value->offset) return std::nullopt;
  const auto date = std::chrono::year(value->date.year) / value->date.month / value->date.day;
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(value->time.hour) +
         std::chrono::minutes(value->time.minute) + std::chrono::seconds(value->time.second) -
         std::chrono::minutes(value->offset->minutes);
}

// Reads one [[tokens]] table.
class TokenTable {
 public:
  TokenTable(const std::string& path, const toml::table& table, std::string name)
      : path_(path), table_(table), name_(std::move(name)) {}

  absl::StatusOr<Token> read() {
    absl::Status status = text("name", true, [&](std::string value) -> const char* {
      token_.name = std::move(value);
      return check_name("name", token_.name).ok() ? nullptr : kName;
    });
    if (!status.ok()) return status;
    status = text("role", true, [&](const std::string& value) -> const char* {
      const std::optional<Role> role = role_named(value);
      if (!role) return "one of read, operate, admin is needed";
      token_.role = *role;
      return nullptr;
    });
    if (!status.ok()) return status;
    status = text("prefix", false, [&](std::string value) -> const char* {
      token_.prefix = std::move(value);
      return check_name("prefix", token_.prefix).ok() ? nullptr : kName;
    });
    if (!status.ok()) return status;
    status = text("sha256", true, [&](const std::string& value) -> const char* {
      const std::optional<TokenDigest> digest = digest_of_hex(value);
      if (!digest) return "64 hexadecimal digits in lower case are needed";
      token_.digest = *digest;
      return nullptr;
    });
    if (!status.ok()) return status;
    for (const char* const key : {"created", "expires"}) {
      const toml::node* const node = table_.get(key);
      if (node == nullptr) continue;
      const std::optional<TokenTime> time = time_of(*node);
      if (!time) return error(node->source(), key, "a time such as 2026-11-28T12:00:00Z is needed");
      if (std::string_view(key) == "created") {
        token_.created = *time;
      } else {
        token_.expires = time;
      }
    }
    for (const auto& [key, node] : table_) {
      const std::string_view known[] = {"name", "role", "prefix", "created", "expires", "sha256"};
      if (std::ranges::find(known, key.str()) == std::end(known)) {
        return error(key.source(), key.str(),
                     joined("there is no such field; known are ", kFields));
      }
    }
    return std::move(token_);
  }

 private:
  absl::Status error(const toml::source_region& where, std::string_view key,
                     std::string_view reason) const {
    return error_at(path_, where, joined(name_, ".", key), reason);
  }
  // `take(value)` returns null, or what is needed instead.
  template <class Take>
  absl::Status text(const char* key, bool required, Take take) {
    const toml::node* const node = table_.get(key);
    if (node == nullptr) {
      return required ? error(table_.source(), key, "missing") : absl::OkStatus();
    }
    const auto value = node->is_string() ? node->value<std::string>() : std::nullopt;
    if (!value) return error(node->source(), key, "text in quotes is needed");
    const char* const needed = take(*value);
    return needed == nullptr ? absl::OkStatus() : error(node->source(), key, needed);
  }

  const std::string& path_;
  const toml::table& table_;
  const std::string name_;
  Token token_;
};

absl::StatusOr<std::vector<Token>> tokens_of(const std::string& path, const std::string& text) {
  std::vector<Token> tokens;
  try {
    const toml::table root = toml::parse(text, path);
    for (const auto& [key, node] : root) {
      if (key.str() != "tokens") {
        return error_at(path, key.source(), key.str(), "there is no such section; known is tokens");
      }
      if (!node.is_array()) return error_at(path, node.source(), "tokens", "a list is needed");
      std::set<std::string, std::less<>> names;
      for (const toml::node& one : *node.as_array()) {
        const std::string name = joined("tokens[", tokens.size(), "]");
        if (!one.is_table()) return error_at(path, one.source(), name, "a table is needed");
        absl::StatusOr<Token> token = TokenTable(path, *one.as_table(), name).read();
        if (!token.ok()) return token.status();
        if (!names.insert(token->name).second) {
          return error_at(path, one.source(), joined(name, ".name"),
                          joined(quoted(token->name), " is another token's name"));
        }
        tokens.push_back(*std::move(token));
      }
    }
  } catch (const toml::parse_error& error) {
    return error_at(path, error.source(), "TOML", error.description());
  }
  return tokens;
}

std::string time_text(TokenTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

std::string text_of(const std::vector<Token>& tokens) {
  std::string text =
      "# Tokens for dripd --tokens. Written by dripctl token; it has no secret, only SHA-256.\n";
  for (const Token& token : tokens) {
    // Names, prefixes and roles have no character that TOML would have to escape.
    text +=
        joined("\n[[tokens]]\nname = \"", token.name, "\"\nrole = \"", name_of(token.role), "\"\n");
    if (!token.prefix.empty()) text += joined("prefix = \"", token.prefix, "\"\n");
    text += joined("created = ", time_text(token.created), "\n");
    if (token.expires) text += joined("expires = ", time_text(*token.expires), "\n");
    text += "sha256 = \"";
    for (const std::uint8_t byte : token.digest) text += fmt::format("{:02x}", byte);
    text += "\"\n";
  }
  return text;
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t size = write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<Token>> read_token_file(const std::string& path) {
  const absl::StatusOr<std::string> text = content_of(path);
  if (!text.ok()) return text.status();
  return tokens_of(path, *text);
}

absl::Status write_token_file(const std::string& path, const std::vector<Token>& tokens) {
  struct stat before {};
  const bool existed = stat(path.c_str(), &before) == 0;
  std::string name = path + ".XXXXXX";
  // mkostemp() makes it with mode 0600.
  const FileDescriptor fd(mkostemp(name.data(), O_CLOEXEC));
  const auto failed = [&] {
    const int error = errno;
    if (fd) unlink(name.c_str());
    return absl::UnavailableError(joined(path, ": cannot be written: ", reason_of(error)));
  };
  if (!fd) return failed();
  // Only root may give it to another owner; to others it stays theirs.
  if (existed && fchown(fd.get(), before.st_uid, before.st_gid) == 0 &&
      fchmod(fd.get(), before.st_mode & 0770) != 0) {
    return failed();
  }
  if (!write_all(fd.get(), text_of(tokens)) || fsync(fd.get()) != 0) return failed();
  if (rename(name.c_str(), path.c_str()) != 0) return failed();
  const std::size_t slash = path.rfind('/');
  const std::string directory =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  const FileDescriptor folder(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) fsync(folder.get());
  return absl::OkStatus();
}

absl::StatusOr<TokenFileLock> TokenFileLock::take(const std::string& path) {
  const std::string name = path + ".lock";
  FileDescriptor fd(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd || flock(fd.get(), LOCK_EX) != 0) {
    return absl::UnavailableError(joined(name, ": ", reason_of(errno)));
  }
  return TokenFileLock(fd.release());
}

TokenFileLock::TokenFileLock(TokenFileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

TokenFileLock::~TokenFileLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace drip::access
