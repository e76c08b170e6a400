// SPDX-License-Identifier: BSD-3-Clause
// Counts the packets of each bucket, and gives it half of their rate.
#include "bench/path/throttled/load.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace drip::bench {
namespace {

constexpr std::uint32_t kMostWaiting = 1U << 21;
// A busy bucket of Zipf's holds what comes in so long: stalls of the machine are shorter.
constexpr double kHeldSeconds = 0.005;
constexpr double kHoldingBytes = 1500;

}  // namespace

Traffic::Traffic(BucketOrder::Kind kind, std::uint32_t buckets)
    : kind_(kind),
      buckets_(buckets),
      arrivals_(kind, buckets),
      fill_order_(BucketOrder::Kind::kRoundRobin, buckets) {
  if (kind == BucketOrder::Kind::kRoundRobin) return;
  const std::vector<std::uint32_t>& draws = arrivals_.numbers();
  const double one = 1.0 / static_cast<double>(draws.size());
  parts_.resize(buckets);
  for (const std::uint32_t bucket : draws) parts_[bucket] += one;
  // Those that nothing comes to are there as well.
  for (double& part : parts_) part = std::max(part, one);
}

std::uint32_t Traffic::least_capacity() const {
  const std::uint32_t least = kind_ == BucketOrder::Kind::kRoundRobin ? 4 : 8;
  return std::clamp(std::bit_floor(kMostWaiting / buckets_), least, 16U);
}

std::uint32_t Traffic::most_waiting() const {
  const std::uint32_t least = buckets_ * least_capacity();
  if (kind_ == BucketOrder::Kind::kRoundRobin) return least;
  return least + static_cast<std::uint32_t>(2 * kHeldSeconds * kMostPps);
}

BucketSettings Load::settings(std::uint32_t bucket) const {
  BucketSettings settings;
  settings.capacity = traffic.least_capacity();
  const double pps = traffic.part(bucket) * allowed_pps;
  if (traffic.kind() != BucketOrder::Kind::kRoundRobin) {
    const auto held = static_cast<std::uint32_t>(pps * kHeldSeconds);
    settings.capacity = std::max(settings.capacity, std::bit_ceil(held));
  }
  if (by_bytes()) {
    settings.bits_per_second = 8 * pool.frames().mean() * pps;
  } else {
    settings.units_per_second = pps;
  }
  settings.departure = Departure::kAtStart;
  return settings;
}

Duration Load::first_wait(std::uint32_t bucket, std::size_t position, double seconds) const {
  const double period = 1 / (traffic.part(bucket) * allowed_pps);
  const double spread = start == Start::kStaggered ? 1 : 0.5;
  const double place = static_cast<double>(position) / traffic.buckets() * spread * period;
  double wait = std::fmod(place - seconds, period);
  if (wait < 0) wait += period;
  // Beyond the service of a packet that Transmitter::occupy() thinks of, something would wait.
  if (by_bytes()) wait = std::min(wait, period * kHoldingBytes / pool.frames().mean());
  // Less than the service time, by what rounding takes.
  return {std::max<std::int64_t>(0, static_cast<std::int64_t>(1e9 * wait) - 1)};
}

}  // namespace drip::bench
