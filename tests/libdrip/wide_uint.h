// SPDX-License-Identifier: BSD-3-Clause
// Unsigned whole numbers of 384 bits: what an exact oracle of the schedule needs, and no more.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "drip/time.h"

namespace drip::test {

/// Throws where a result would not fit or would be negative, so that the oracle cannot be wrong
/// silently.
class WideUint {
 public:
  constexpr WideUint() = default;
  // Implicit, as between built-in integers.
  constexpr WideUint(std::uint64_t value) : words_{value} {}  // NOLINT(google-explicit-constructor)

  friend constexpr WideUint operator+(const WideUint& a, const WideUint& b) {
    WideUint sum;
    Uint128 carry = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
      carry += static_cast<Uint128>(a.words_[i]) + b.words_[i];
      sum.words_[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    if (carry != 0) throw std::overflow_error("WideUint +");
    return sum;
  }
  friend constexpr WideUint operator-(const WideUint& a, const WideUint& b) {
    if (a < b) throw std::overflow_error("WideUint -");
    WideUint difference;
    std::uint64_t borrow = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
      const Uint128 taken = static_cast<Uint128>(b.words_[i]) + borrow;
      difference.words_[i] = a.words_[i] - static_cast<std::uint64_t>(taken);
      borrow = static_cast<std::uint64_t>(a.words_[i] < taken);
    }
    return difference;
  }
  friend constexpr WideUint operator*(const WideUint& a, const WideUint& b) {
    WideUint product;
    for (std::size_t i = 0; i < kWords; ++i) {
      Uint128 carry = 0;
      for (std::size_t j = 0; j < kWords; ++j) {
        carry += static_cast<Uint128>(a.words_[i]) * b.words_[j];
        if (i + j >= kWords) {
          if (carry != 0) throw std::overflow_error("WideUint *");
          continue;
        }
        carry += product.words_[i + j];
        product.words_[i + j] = static_cast<std::uint64_t>(carry);
        carry >>= 64;
      }
      if (carry != 0) throw std::overflow_error("WideUint *");
    }
    return product;
  }
  /// 2^exponent.
  static constexpr WideUint power_of_two(unsigned exponent) {
    WideUint power;
    power.words_.at(exponent / 64) = std::uint64_t{1} << (exponent % 64);
    return power;
  }
  friend constexpr bool operator==(const WideUint&, const WideUint&) = default;
  friend constexpr std::strong_ordering operator<=>(const WideUint& a, const WideUint& b) {
    for (std::size_t i = kWords; i-- > 0;) {
      if (a.words_[i] != b.words_[i]) return a.words_[i] <=> b.words_[i];
    }
    return std::strong_ordering::equal;
  }
  /// For messages and relative errors.
  [[nodiscard]] constexpr long double approximately() const {
    long double value = 0;
    for (std::size_t i = kWords; i-- > 0;) {
      value = value * 0x1p64L + static_cast<long double>(words_[i]);
    }
    return value;
  }

 private:
  static constexpr std::size_t kWords = 6;
  std::array<std::uint64_t, kWords> words_{};  // Least significant first.
};

}  // namespace drip::test
