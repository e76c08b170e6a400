// SPDX-License-Identifier: BSD-3-Clause
// Numbers as the state files have them: the lowest byte first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace drip::state {

template <class Number>
void append_number(std::string& bytes, Number number) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    bytes += static_cast<char>((number >> (8 * i)) & 0xffU);
  }
}

/// REQUIRES: at + sizeof(Number) <= bytes.size().
template <class Number>
[[nodiscard]] Number number_at(std::string_view bytes, std::size_t at) {
  Number number = 0;
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    number |= static_cast<Number>(static_cast<std::uint8_t>(bytes[at + i])) << (8 * i);
  }
  return number;
}

}  // namespace drip::state
