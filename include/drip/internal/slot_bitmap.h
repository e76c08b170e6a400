// SPDX-License-Identifier: BSD-3-Clause
// A bitmap that finds the next set bit with two find-first-set instructions.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace drip {

/// Two levels: a bit for each slot, and a bit for each 64 of them. Not thread safe.
template <std::uint32_t kSlots>
class SlotBitmap {
  static_assert(kSlots % 4096 == 0);

 public:
  void set(std::uint32_t slot) {
    bits_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    words_[slot / 4096] |= std::uint64_t{1} << (slot / 64 % 64);
  }
  void clear(std::uint32_t slot) {
    bits_[slot / 64] &= ~(std::uint64_t{1} << (slot % 64));
    if (bits_[slot / 64] == 0) words_[slot / 4096] &= ~(std::uint64_t{1} << (slot / 64 % 64));
  }
  /// The first set slot from `from` on, or any above `to` if there is none up to it.
  /// REQUIRES: from <= to < kSlots.
  [[nodiscard]] std::uint32_t find(std::uint32_t from, std::uint32_t to) const {
    std::uint32_t word = from / 64;
    std::uint64_t bits = bits_[word] & (~std::uint64_t{0} << (from % 64));
    if (bits == 0) {
      ++word;
      std::uint64_t words = 0;
      std::uint32_t group = word / 64;
      for (; group <= to / 4096; ++group) {
        words = words_[group];
        if (group == word / 64) words &= ~std::uint64_t{0} << (word % 64);
        if (words != 0) break;
      }
      if (words == 0) return to + 1;
      word = group * 64 + static_cast<std::uint32_t>(std::countr_zero(words));
      bits = bits_[word];
    }
    return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
  }

 private:
  std::array<std::uint64_t, kSlots / 64> bits_{};
  std::array<std::uint64_t, kSlots / 4096> words_{};
};

}  // namespace drip
