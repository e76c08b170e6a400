// SPDX-License-Identifier: BSD-3-Clause
// Knows the protocols that keep a network itself running, which a shaper must not cut.
#pragma once

#include <cstdint>
#include <span>

#include "core/frame.h"

namespace drip {

/// True for link, neighbour, routing and redundancy protocols; control_traffic.cc lists each with
/// its source. `bytes` is what `headers` was parsed from. A fragment never counts by its ports or
/// ICMPv6 type, only by its IP protocol. Nothing is authenticated: whoever may send to these
/// ports goes past the shaper, so the policy can be turned off. Thread safe.
[[nodiscard]] bool is_control_traffic(const Headers& headers, std::span<const std::uint8_t> bytes);

}  // namespace drip
