// SPDX-License-Identifier: BSD-3-Clause
// The unit of sharing between cores.
#pragma once

#include <cstddef>

namespace drip {

/// Not std::hardware_destructive_interference_size, whose value GCC warns may differ by flags and
/// so break the layout between objects.
inline constexpr std::size_t kCacheLineBytes = 64;

}  // namespace drip
