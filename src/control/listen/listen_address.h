// SPDX-License-Identifier: BSD-3-Clause
// An address to listen on, as text: `127.0.0.1:50051,tls=off`, `unix:PATH,mode=0660,group=drip`.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace drip::control {

inline constexpr std::string_view kUnixScheme = "unix:";

struct ListenAddress {
  std::string address;  ///< HOST:PORT or unix:PATH, without options.
  // Of a Unix socket; none: what the umask and the process give it.
  std::optional<mode_t> mode;
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  bool tls = true;  ///< Of a TCP address, where the server has TLS.

  [[nodiscard]] bool is_unix() const { return address.starts_with(kUnixScheme); }
};

/// INVALID_ARGUMENT naming the option, its value and what is allowed. Users and groups are names or
/// numbers. A path has no comma. Whether the address itself can be used is for listen_on().
[[nodiscard]] absl::StatusOr<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace drip::control
