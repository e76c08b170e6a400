// SPDX-License-Identifier: BSD-3-Clause
// How long frames are: all alike, or a mix.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace drip::bench {

/// A frame's L2 length is without FCS, so 60 is the 64-byte frame of Ethernet.
inline constexpr std::uint32_t kSmallFrameBytes = 60;
inline constexpr std::uint32_t kFullFrameBytes = 1514;

/// A sequence of lengths, drawn beforehand and repeated.
class FrameSizes {
 public:
  /// One length.
  // NOLINTNEXTLINE(google-explicit-constructor): it reads as the length.
  FrameSizes(std::uint32_t bytes) : mean_(bytes), longest_(bytes) {}
  /// 7 of 64, 4 of 570 and 1 of 1518 bytes with FCS, in an order that no number of buckets fits.
  static FrameSizes imix();
  /// "64", "1514" or "imix".
  static absl::StatusOr<FrameSizes> of(std::string_view name);

  [[nodiscard]] std::uint32_t next() {
    if (mix_.empty()) return longest_;
    const std::uint32_t bytes = mix_[at_];
    at_ = at_ + 1 == mix_.size() ? 0 : at_ + 1;
    return bytes;
  }
  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] std::uint32_t longest() const { return longest_; }

 private:
  std::vector<std::uint32_t> mix_;  // Empty: all are as long as the longest.
  std::size_t at_ = 0;
  double mean_;
  std::uint32_t longest_;
};

}  // namespace drip::bench
