// SPDX-License-Identifier: BSD-3-Clause
// The address at which others are told that they reach this node.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace drip::daemon {

/// OK for HOST:PORT that somebody else can dial: a host that is not the wildcard, a port that is
/// not 0; an IPv6 address in brackets.
[[nodiscard]] absl::Status check_advertise(const std::string& address);

/// The first of `listen` that check_advertise() allows; empty if there is none.
[[nodiscard]] std::string advertised_by_default(const std::vector<std::string>& listen);

}  // namespace drip::daemon
