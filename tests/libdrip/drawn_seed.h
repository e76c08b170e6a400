// SPDX-License-Identifier: BSD-3-Clause
// The seed of property tests: drawn anew for each run, printed, and taken from DRIP_SEED if set.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace drip::test {

/// The seed of this process; printed when first asked for, so that a failure can be replayed.
inline std::uint64_t drawn_seed() {
  static const std::uint64_t seed = [] {
    const char* const given = std::getenv("DRIP_SEED");
    const std::uint64_t value =
        given != nullptr ? std::stoull(given) : std::random_device{}() * std::uint64_t{1};
    std::cout << "[   SEED   ] DRIP_SEED=" << value << std::endl;
    return value;
  }();
  return seed;
}

/// Draws for one test; another `stream` gives other draws of the same seed.
class Draw {
 public:
  explicit Draw(std::uint64_t stream = 0)
      : engine_(drawn_seed() * 0x9e3779b97f4a7c15ULL + stream) {}

  /// A whole number from `least` to `most`.
  std::uint64_t between(std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(engine_);
  }
  /// A number from `least` to `most`, each power of two as likely as another.
  std::uint64_t of_any_size(std::uint64_t least, std::uint64_t most) {
    const double low = std::log2(static_cast<double>(least));
    const double high = std::log2(static_cast<double>(most));
    const double drawn = std::exp2(std::uniform_real_distribution<double>(low, high)(engine_));
    return std::clamp(static_cast<std::uint64_t>(drawn), least, most);
  }
  /// True once in `times`.
  bool one_in(std::uint64_t times) { return between(1, times) == 1; }

  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace drip::test
