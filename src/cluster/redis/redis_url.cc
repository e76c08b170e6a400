// SPDX-License-Identifier: BSD-3-Clause
// Takes a URL apart from its ends: scheme, credentials, hosts, path.
#include "cluster/redis/redis_url.h"

#include <charconv>
#include <optional>

#include "absl/status/status.h"
#include "base/errors.h"
#include "base/text.h"

namespace drip::cluster {
namespace {

constexpr std::uint16_t kRedisPort = 6379;
constexpr std::uint16_t kSentinelPort = 26379;
constexpr int kMostDatabase = 16383;

absl::Status wrong(std::string_view part, std::string_view value, std::string_view allowed) {
  return not_allowed(joined("cluster URL, ", part), quoted(value), allowed);
}

std::optional<int> whole(std::string_view text, int least, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      result += text[i];
      continue;
    }
    unsigned byte = 0;
    const std::string_view digits = text.substr(i + 1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) return std::nullopt;
    result += static_cast<char>(byte);
    i += 2;
  }
  return result;
}

// Takes `[[USER:]PASSWORD@]` off the front of `rest`.
absl::Status take_credentials(std::string_view& rest, RedisUrl& url) {
  // A password may hold an '@' of its own, but no path or host can come before it.
  const std::size_t at = rest.substr(0, rest.find('/')).rfind('@');
  if (at == std::string_view::npos) return absl::OkStatus();
  const std::string_view credentials = rest.substr(0, at);
  const std::size_t colon = credentials.find(':');
  const bool has_user = colon != std::string_view::npos;
  const auto user = decoded(has_user ? credentials.substr(0, colon) : std::string_view());
  const auto password = decoded(has_user ? credentials.substr(colon + 1) : credentials);
  if (!user || !password) {
    return absl::InvalidArgumentError(
        "cluster URL, user and password: a '%' is not followed by two hexadecimal digits");
  }
  url.user = *user;
  url.password = *password;
  rest.remove_prefix(at + 1);
  return absl::OkStatus();
}

absl::StatusOr<RedisEndpoint> read_endpoint(std::string_view text, std::uint16_t default_port) {
  RedisEndpoint endpoint{{}, default_port};
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos)
      return wrong("host", text, "an IPv6 address ends with ']'");
    endpoint.host = text.substr(1, close - 1);
    const std::string_view behind = text.substr(close + 1);
    if (!behind.empty() && behind[0] != ':') return wrong("host", text, "HOST or HOST:PORT");
    port = behind.empty() ? behind : behind.substr(1);
    if (!behind.empty() && port.empty()) return wrong("port", port, "1 to 65535");
  } else {
    const std::size_t colon = text.find(':');
    endpoint.host = text.substr(0, colon);
    if (colon != std::string_view::npos) {
      port = text.substr(colon + 1);
      if (port.find(':') != std::string_view::npos) {
        return wrong("host", text, "HOST or HOST:PORT, an IPv6 address in brackets");
      }
      if (port.empty()) return wrong("port", port, "1 to 65535");
    }
  }
  if (endpoint.host.empty()) return wrong("host", text, "HOST or HOST:PORT");
  if (!port.empty()) {
    const auto number = whole(port, 1, 65535);
    if (!number) return wrong("port", port, "1 to 65535");
    endpoint.port = static_cast<std::uint16_t>(*number);
  }
  return endpoint;
}

absl::Status take_database(std::string_view text, RedisUrl& url) {
  const auto number = whole(text, 0, kMostDatabase);
  if (!number) return wrong("database", text, joined("0 to ", kMostDatabase));
  url.database = *number;
  return absl::OkStatus();
}

absl::StatusOr<RedisUrl> read_unix(std::string_view rest, RedisUrl url) {
  constexpr std::string_view kQuery = "?db=";
  if (const std::size_t query = rest.find('?'); query != std::string_view::npos) {
    const std::string_view text = rest.substr(query);
    if (!text.starts_with(kQuery)) return wrong("query", text, "?db=DATABASE");
    if (auto status = take_database(text.substr(kQuery.size()), url); !status.ok()) return status;
    rest = rest.substr(0, query);
  }
  if (!rest.starts_with('/') || rest.size() < 2) return wrong("path", rest, "an absolute path");
  url.unix_path = rest;
  return url;
}

absl::StatusOr<RedisUrl> read_network(std::string_view rest, bool sentinel, RedisUrl url) {
  if (rest.find('@') != std::string_view::npos) {
    // It stands behind a '/', so what is before it is a part of the password.
    return absl::InvalidArgumentError(
        "cluster URL, user and password: a '/' in them is written %2F");
  }
  const std::size_t slash = rest.find('/');
  std::string_view hosts = rest.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
  while (true) {
    const std::size_t comma = hosts.find(',');
    auto endpoint = read_endpoint(hosts.substr(0, comma), sentinel ? kSentinelPort : kRedisPort);
    if (!endpoint.ok()) return endpoint.status();
    url.endpoints.push_back(*std::move(endpoint));
    if (comma == std::string_view::npos) break;
    if (!sentinel) return wrong("host", hosts, "one host; several are for sentinel://");
    hosts.remove_prefix(comma + 1);
  }
  if (sentinel) {
    const std::size_t end = path.find('/');
    url.master_name = path.substr(0, end);
    if (url.master_name.empty()) {
      return wrong("master's name", path, "sentinel://HOST:PORT,.../NAME");
    }
    path = end == std::string_view::npos ? "" : path.substr(end + 1);
  }
  if (path.empty()) return url;
  if (auto status = take_database(path, url); !status.ok()) return status;
  return url;
}

}  // namespace

absl::StatusOr<RedisUrl> parse_redis_url(std::string_view text) {
  const std::size_t colon = text.find("://");
  const std::string_view scheme =
      colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const bool sentinel = scheme == "sentinel" || scheme == "sentinels";
  if (!sentinel && scheme != "redis" && scheme != "rediss" && scheme != "unix") {
    return wrong("scheme", scheme, "redis://, rediss://, unix://, sentinel:// or sentinels://");
  }
  RedisUrl url;
  url.tls = scheme == "rediss" || scheme == "sentinels";
  std::string_view rest = text.substr(colon + 3);
  if (auto status = take_credentials(rest, url); !status.ok()) return status;
  return scheme == "unix" ? read_unix(rest, std::move(url))
                          : read_network(rest, sentinel, std::move(url));
}

std::string to_string(const RedisEndpoint& endpoint) {
  return endpoint.host.find(':') == std::string::npos
             ? joined(endpoint.host, ":", endpoint.port)
             : joined("[", endpoint.host, "]:", endpoint.port);
}

std::string to_string(const RedisUrl& url) {
  if (!url.unix_path.empty()) return joined("unix://", url.unix_path);
  std::string text = joined(url.by_sentinel() ? "sentinel" : "redis", url.tls ? "s" : "", "://");
  for (std::size_t i = 0; i < url.endpoints.size(); ++i) {
    text += joined(i == 0 ? "" : ",", to_string(url.endpoints[i]));
  }
  if (url.by_sentinel()) text += joined("/", url.master_name);
  if (url.database != 0) text += joined("/", url.database);
  return text;
}

}  // namespace drip::cluster
