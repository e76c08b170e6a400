// SPDX-License-Identifier: BSD-3-Clause
#include "http/listen_address.h"

#include <arpa/inet.h>

#include "base/errors.h"
#include "base/quantity.h"
#include "fmt/format.h"

namespace drip::http {
namespace {

constexpr const char* kAllowed =
    "PORT (on 127.0.0.1), ADDRESS:PORT or [IPV6]:PORT, with a port from 0 to 65535";

bool is_ipv6(const std::string& host) { return host.find(':') != std::string::npos; }

}  // namespace

bool is_address(const std::string& host) {
  in6_addr bytes{};
  return inet_pton(is_ipv6(host) ? AF_INET6 : AF_INET, host.c_str(), &bytes) == 1;
}

bool is_loopback_address(std::string_view host) {
  return host == "::1" || host.starts_with("127.");
}

bool ListenAddress::is_loopback() const { return is_loopback_address(host); }

std::string ListenAddress::text() const {
  return is_ipv6(host) ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

absl::StatusOr<ListenAddress> parse_listen_address(const std::string& field,
                                                   const std::string& text) {
  ListenAddress address;
  const std::size_t colon = text.rfind(':');
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    const bool brackets =
        address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']';
    if (brackets) address.host = address.host.substr(1, address.host.size() - 2);
    if (brackets != is_ipv6(address.host) || !is_address(address.host)) {
      return not_allowed(field, quoted(text), kAllowed);
    }
  }
  const auto port =
      parse_integer(text.substr(colon == std::string::npos ? 0 : colon + 1), 0, 65535);
  if (!port) return not_allowed(field, quoted(text), kAllowed);
  address.port = static_cast<std::uint16_t>(*port);
  return address;
}

}  // namespace drip::http
