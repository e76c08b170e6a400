// SPDX-License-Identifier: BSD-3-Clause
// Twice the allowed load: which packets come, and what is allowed of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/path/bench_options.h"
#include "bench/path/bucket_order.h"
#include "bench/path/packet_pool.h"
#include "drip/bucket_settings.h"

namespace drip::bench {

/// For which buckets packets come, whatever their rate.
class Traffic {
 public:
  Traffic(BucketOrder::Kind kind, std::uint32_t buckets);

  [[nodiscard]] BucketOrder::Kind kind() const { return kind_; }
  [[nodiscard]] std::uint32_t buckets() const { return buckets_; }
  [[nodiscard]] const BucketOrder& arrivals() const { return arrivals_; }
  /// Each bucket once, not as they lie in memory.
  [[nodiscard]] const BucketOrder& fill_order() const { return fill_order_; }
  /// Of all packets, the part that comes for a bucket.
  [[nodiscard]] double part(std::uint32_t bucket) const {
    return parts_.empty() ? 1.0 / buckets_ : parts_[bucket];
  }
  /// What each bucket holds at least. A bucket of which little comes has to hold some packets, or
  /// it would be empty between two that come far apart.
  [[nodiscard]] std::uint32_t least_capacity() const;
  /// Packets that may wait in all of them together, at any rate that is tried.
  [[nodiscard]] std::uint32_t most_waiting() const;

 private:
  BucketOrder::Kind kind_;
  std::uint32_t buckets_;
  BucketOrder arrivals_;
  BucketOrder fill_order_;
  std::vector<double> parts_;  // Empty: the same for all.
};

/// Beyond those that wait: in bursts and caches.
inline constexpr std::uint32_t kMorePackets = 1U << 14;

/// When the buckets' first departures are. With equal rates it stays so.
enum class Start : std::uint8_t {
  kStaggered,  ///< Spread over the whole period, as those of customers are.
  kInStep,     ///< In one half of the period, at twice the rate: the hard case.
};
[[nodiscard]] constexpr std::string_view name_of(Start start) {
  return start == Start::kStaggered ? "staggered" : "in step";
}

/// The highest rate that is tried, in packets a second.
inline constexpr double kMostPps = 64e6;

/// One load: each bucket is allowed half of what comes to it.
struct Load {
  const Bench& bench;
  PacketPool& pool;
  const Traffic& traffic;
  Start start;
  double allowed_pps;  ///< Of all buckets together.

  [[nodiscard]] double allowed_bits() const { return 8 * pool.frames().mean() * allowed_pps; }
  /// Frames of one length are counted, others by their bytes.
  [[nodiscard]] bool by_bytes() const { return pool.frames().longest() != kSmallFrameBytes; }
  [[nodiscard]] BucketSettings settings(std::uint32_t bucket) const;
  /// How long a bucket that is the `position`-th to be filled has to wait for its first departure,
  /// so long after the first one was filled.
  [[nodiscard]] Duration first_wait(std::uint32_t bucket, std::size_t position,
                                    double seconds) const;
  /// In which each bucket with the same rate departs once.
  [[nodiscard]] double round_seconds() const { return traffic.buckets() / allowed_pps; }
};

}  // namespace drip::bench
