// SPDX-License-Identifier: BSD-3-Clause
// Wildcards, unix sockets and port 0 are addresses to listen on, not to dial.
#include "daemon/advertise.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "base/errors.h"

namespace drip::daemon {
namespace {

constexpr std::array<std::string_view, 4> kWildcards = {"0.0.0.0", "[::]", "[::0]", "*"};

}  // namespace

absl::Status check_advertise(const std::string& address) {
  const std::string_view text = address;
  const std::size_t colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  unsigned port = 0;
  if (colon != std::string_view::npos) {
    const std::string_view digits = text.substr(colon + 1);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) port = 0;
  }
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (host.empty() || port == 0 || port > 65535 || text.starts_with("unix:") ||
      std::ranges::find(kWildcards, host) != kWildcards.end() ||
      (!bracketed && host.find(':') != std::string_view::npos) ||
      host.find_first_of("/ \t") != std::string_view::npos) {
    return not_allowed(
        "--advertise", quoted(address),
        "HOST:PORT that others can dial: no wildcard address, no unix socket, a port "
        "from 1 to 65535, an IPv6 address in brackets");
  }
  return absl::OkStatus();
}

std::string advertised_by_default(const std::vector<std::string>& listen) {
  const auto found = std::ranges::find_if(
      listen, [](const std::string& address) { return check_advertise(address).ok(); });
  return found == listen.end() ? std::string() : *found;
}

}  // namespace drip::daemon
