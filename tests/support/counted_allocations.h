// SPDX-License-Identifier: BSD-3-Clause
// Counts what a test program allocates. Replaces operator new, so exactly one source file of a
// program may include it.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace drip {

inline std::size_t allocations = 0;
inline std::size_t allocated_bytes = 0;  ///< Of all allocations so far; freeing does not lower it.

}  // namespace drip

// Not inline: g++ 12 would see a free() of memory that came from new.
[[gnu::noinline]] void* operator new(std::size_t size) {
  ++drip::allocations;
  drip::allocated_bytes += size;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  ++drip::allocations;
  drip::allocated_bytes += size;
  // aligned_alloc() wants a multiple of the alignment.
  const auto multiple = static_cast<std::size_t>(alignment);
  const std::size_t whole = (size + multiple - 1) / multiple * multiple;
  if (void* memory = std::aligned_alloc(multiple, whole)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
