// SPDX-License-Identifier: BSD-3-Clause
// Wildcards, unix sockets and port 0 are addresses to listen on, not to dial.
#include "daemon/advertise.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/errors.h"

namespace drip::daemon {
namespace {

// RFC 1035, section 2.3.4.
constexpr std::size_t kLongestName = 253;
constexpr std::size_t kLongestLabel = 63;

constexpr std::array<std::string_view, 7> kSchemes = {"dns", "ipv4",          "ipv6", "unix",
                                                      "xds", "unix-abstract", "vsock"};

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), port);
  return read.ec == std::errc{} && read.ptr == text.data() + text.size() && port > 0 &&
         port <= 65535;
}

// Of one host, at which it can be dialled.
bool is_ipv4(const std::string& text) {
  in_addr address{};
  if (inet_pton(AF_INET, text.c_str(), &address) != 1) return false;
  const std::uint32_t value = ntohl(address.s_addr);
  return value >> 24 != 0 && !IN_MULTICAST(value) && value != INADDR_BROADCAST;
}
bool is_ipv6(const std::string& text) {
  in6_addr address{};
  if (inet_pton(AF_INET6, text.c_str(), &address) != 1) return false;
  // "::ffff:0.0.0.0" is the wildcard of IPv4.
  const bool mapped_wildcard = IN6_IS_ADDR_V4MAPPED(&address) && address.s6_addr32[3] == 0;
  return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_MULTICAST(&address) && !mapped_wildcard;
}

bool is_label(std::string_view label) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  };
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, allowed);
}
// Not one that resolvers take for an address, as "0", "0x7f.1" or "010.0.0.1", nor one that gRPC
// takes for a scheme, as in "unix:50051".
bool is_name(const std::string& text) {
  in_addr address{};
  if (std::ranges::find(kSchemes, text) != kSchemes.end()) return false;
  if (text.size() > kLongestName || inet_aton(text.c_str(), &address) != 0) return false;
  std::string_view rest = text;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  for (;;) {
    const std::size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot != std::string_view::npos) {
      rest.remove_prefix(dot + 1);
      continue;
    }
    // The last label of a name is no number (RFC 3696, section 2).
    return !std::ranges::all_of(
        label, [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; });
  }
}

}  // namespace

absl::Status check_advertise(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  const bool has_port =
      colon != std::string::npos && is_port(std::string_view(address).substr(colon + 1));
  const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  const bool is_host =
      bracketed ? is_ipv6(host.substr(1, host.size() - 2)) : is_ipv4(host) || is_name(host);
  if (!has_port || !is_host) {
    return not_allowed("--advertise", quoted(address),
                       "HOST:PORT that others can dial: a name, an IPv4 address of four numbers, "
                       "or an IPv6 address in brackets, which is no wildcard, and a port from 1 to "
                       "65535");
  }
  return absl::OkStatus();
}

std::string advertised_by_default(const std::vector<std::string>& listen) {
  const auto found = std::ranges::find_if(
      listen, [](const std::string& address) { return check_advertise(address).ok(); });
  return found == listen.end() ? std::string() : *found;
}

}  // namespace drip::daemon
