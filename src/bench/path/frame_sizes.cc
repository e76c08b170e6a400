// SPDX-License-Identifier: BSD-3-Clause
// Draws the mix.
#include "bench/path/frame_sizes.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "fmt/format.h"

namespace drip::bench {
namespace {

constexpr std::uint64_t kSeed = 21;
// A prime: the packets of a bucket, each so many after the one before it, are of all lengths.
constexpr std::size_t kDraws = 4099;
constexpr std::uint32_t kMiddleFrameBytes = 566;

}  // namespace

FrameSizes FrameSizes::imix() {
  FrameSizes sizes(kFullFrameBytes);
  for (std::size_t i = 0; i < kDraws; ++i) {
    const std::size_t of_twelve = i % 12;
    sizes.mix_.push_back(of_twelve < 7    ? kSmallFrameBytes
                         : of_twelve < 11 ? kMiddleFrameBytes
                                          : kFullFrameBytes);
  }
  std::mt19937_64 random(kSeed);
  std::shuffle(sizes.mix_.begin(), sizes.mix_.end(), random);
  sizes.mean_ = std::accumulate(sizes.mix_.begin(), sizes.mix_.end(), 0.0) / kDraws;
  return sizes;
}

absl::StatusOr<FrameSizes> FrameSizes::of(std::string_view name) {
  if (name == "64") return FrameSizes(kSmallFrameBytes);
  if (name == "1514") return FrameSizes(kFullFrameBytes);
  if (name == "imix") return imix();
  return absl::InvalidArgumentError(
      fmt::format("frames: {} given, 64, 1514 or imix allowed", name));
}

}  // namespace drip::bench
