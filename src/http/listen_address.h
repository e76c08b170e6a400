// SPDX-License-Identifier: BSD-3-Clause
// Where something is served by HTTP.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace drip::http {

struct ListenAddress {
  std::string host = "127.0.0.1";  ///< An IPv4 or IPv6 address, without brackets.
  std::uint16_t port = 0;          ///< 0: any free one.

  /// 127.0.0.0/8 or ::1: nobody but this machine comes there.
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] std::string text() const;
};

/// Whether `host`, without brackets, is an IPv4 or IPv6 address as inet_pton(3) reads them.
[[nodiscard]] bool is_address(const std::string& host);
/// Of an address: 127.0.0.0/8 or ::1.
[[nodiscard]] bool is_loopback_address(std::string_view host);

/// Reads PORT (then the host is 127.0.0.1), ADDRESS:PORT or [IPV6]:PORT. A name is not taken, nor
/// is an empty host, so that nobody opens the endpoint to the world without saying so.
/// INVALID_ARGUMENT; the text begins with `field` and ": ".
[[nodiscard]] absl::StatusOr<ListenAddress> parse_listen_address(const std::string& field,
                                                                 const std::string& text);

}  // namespace drip::http
