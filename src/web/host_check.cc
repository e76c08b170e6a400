// SPDX-License-Identifier: BSD-3-Clause
#include "web/host_check.h"

#include <algorithm>
#include <string>

#include "absl/strings/ascii.h"
#include "http/listen_address.h"

namespace drip::web {

bool names_loopback(std::string_view host_header) {
  std::string host = absl::AsciiStrToLower(std::string(host_header));
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    const std::string_view port = std::string_view(host).substr(colon + 1);
    if (port.empty() || !std::ranges::all_of(port, absl::ascii_isdigit)) return false;
    host.resize(colon);
  }
  if (host == "localhost") return true;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    return host.find(':') != std::string::npos && http::is_loopback_address(host);
  }
  // Of IPv6 without brackets, or of a name such as 127.example.org, inet_pton() takes none.
  return host.find(':') == std::string::npos && http::is_address(host) &&
         http::is_loopback_address(host);
}

}  // namespace drip::web
