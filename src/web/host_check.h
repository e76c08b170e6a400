// SPDX-License-Identifier: BSD-3-Clause
// Against DNS rebinding: a foreign page whose name has come to mean 127.0.0.1.
#pragma once

#include <string_view>

namespace drip::web {

/// Whether the Host header of a request names this machine by an address of the loopback interface,
/// or as localhost, with any port or none. A browser sends the name that the page was loaded by, so
/// a page of another name cannot read what is served on the loopback interface.
[[nodiscard]] bool names_loopback(std::string_view host_header);

}  // namespace drip::web
