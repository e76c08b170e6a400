// SPDX-License-Identifier: BSD-3-Clause
// The checksum of what is stored.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace drip::state {

/// SHA-256.
using Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Digest digest_of(std::string_view bytes);

/// The bytes themselves.
[[nodiscard]] inline std::string_view bytes_of(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// In hexadecimal digits.
[[nodiscard]] std::string text_of(const Digest& digest);

}  // namespace drip::state
