// SPDX-License-Identifier: BSD-3-Clause
// Where the cluster's Redis is, as an operator writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace drip::cluster {

struct RedisEndpoint {
  std::string host;  ///< A name or an address, IPv6 without brackets.
  std::uint16_t port = 6379;

  friend bool operator==(const RedisEndpoint&, const RedisEndpoint&) = default;
};

/// One of
///
///     redis://[[USER:]PASSWORD@]HOST[:PORT][/DATABASE]      plain TCP, port 6379
///     rediss://...                                          the same under TLS
///     unix://[[USER:]PASSWORD@]/PATH[?db=DATABASE]          a socket of the file system
///     sentinel://[[USER:]PASSWORD@]HOST[:PORT],.../NAME[/DATABASE]    port 26379
///     sentinels://...                                       the same under TLS
///
/// In user and password %XX stands for a byte.
struct RedisUrl {
  std::vector<RedisEndpoint> endpoints;  ///< The server, or the Sentinels; none for a unix socket.
  std::string master_name;  ///< What Sentinel calls the master; empty without Sentinel.
  std::string unix_path;
  bool tls = false;
  std::string user;
  std::string password;
  int database = 0;

  [[nodiscard]] bool by_sentinel() const { return !master_name.empty(); }
};

/// INVALID_ARGUMENT naming the part that is wrong, never with a password in it.
[[nodiscard]] absl::StatusOr<RedisUrl> parse_redis_url(std::string_view text);

/// `host:port`, an IPv6 address in brackets.
[[nodiscard]] std::string to_string(const RedisEndpoint& endpoint);
/// Without user and password, for logs.
[[nodiscard]] std::string to_string(const RedisUrl& url);

}  // namespace drip::cluster
