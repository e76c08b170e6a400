// SPDX-License-Identifier: BSD-3-Clause
// The unit of sharing between cores, and how one is asked for ahead.
#pragma once

#include <cstddef>

namespace drip {

/// Not std::hardware_destructive_interference_size, whose value GCC warns may differ by flags and
/// so break the layout between objects.
inline constexpr std::size_t kCacheLineBytes = 64;

/// Asks for the line at `address`, for a write or a read. The empty asm is an effect: GCC takes a
/// function that only prefetches for one without effects, and where it is not inlined leaves the
/// calls to it out.
inline void prefetch_to_write(const void* address) {
  __builtin_prefetch(address, 1);
  asm volatile("");
}
inline void prefetch_to_read(const void* address) {
  __builtin_prefetch(address);
  asm volatile("");
}

}  // namespace drip
