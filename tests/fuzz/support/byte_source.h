// SPDX-License-Identifier: BSD-3-Clause
// Takes numbers and texts from the front of an input.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace drip::fuzz {

/// Of an input that has ended all numbers are 0, and all texts empty. The bytes outlive it.
class ByteSource {
 public:
  explicit ByteSource(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  /// Its bytes as they are, the lowest first.
  template <class Number>
  [[nodiscard]] Number number() {
    static_assert(std::is_unsigned_v<Number>);
    Number result = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      result = static_cast<Number>(result | static_cast<Number>(byte()) << (8 * i));
    }
    return result;
  }
  [[nodiscard]] std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  /// Below `bound`, at most 256. REQUIRES: bound > 0.
  [[nodiscard]] std::size_t below(std::size_t bound) { return byte() % bound; }
  [[nodiscard]] bool coin() { return (byte() & 1) != 0; }
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// An input as text.
[[nodiscard]] inline std::string_view text_of(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace drip::fuzz
