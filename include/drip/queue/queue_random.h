// SPDX-License-Identifier: BSD-3-Clause
// Random numbers for the drops and marks of AQMs.
#pragma once

#include <cstdint>

namespace drip {

/// Xorshift64* (Vigna, ACM TOMS 42(4), 2016): a few cycles, and no state but 8 bytes. Not for keys.
class QueueRandom {
 public:
  explicit QueueRandom(std::uint64_t seed) : state_(seed != 0 ? seed : 1) {}

  std::uint32_t operator()() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<std::uint32_t>(state_ * 0x2545f4914f6cdd1dULL >> 32);
  }

 private:
  std::uint64_t state_;
};

}  // namespace drip
