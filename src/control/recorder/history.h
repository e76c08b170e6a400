// SPDX-License-Identifier: BSD-3-Clause
// The last ten minutes of one bucket, or of all together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "traffic/bucket_traffic.h"

namespace drip::control {

/// Why a unit did not leave its bucket: the reasons of a rejection, then those of a drop.
enum class Loss : std::uint8_t {
  kFull,
  kFullBytes,
  kDraining,
  kTooLong,
  kWaitTooLong,
  kQueueOverflow,
  kAqm,
  kMaxWait,
  kOther,  ///< With the bucket, for want of memory, or released.
};
inline constexpr std::size_t kLosses = 9;
/// As the metrics name them.
inline constexpr std::array<const char*, kLosses> kLossNames = {
    "full",     "full_bytes", "draining", "too_long", "wait_too_long",
    "overflow", "aqm",        "max_wait", "other"};

/// Round trips that were measured in one step; both 0 if none was.
struct StepRoundTrips {
  std::uint64_t p50_ns = 0;
  std::uint64_t p90_ns = 0;
};

/// What happened in one step, and the backlog at its end.
struct Sample {
  double bits_per_second = 0;
  double units_per_second = 0;
  std::uint64_t backlog = 0;
  std::uint64_t sojourn_p50_ns = 0;  ///< Of units that departed in the step; 0 if none did.
  std::uint64_t sojourn_p99_ns = 0;
  std::array<double, kLosses> lost_per_second{};
  std::array<StepRoundTrips, traffic::kSides> round_trips{};  ///< By traffic::Side.
};

/// A ring of samples, one for each step, as log codes: 3 kB, 608 B for each reason of a loss that
/// was seen, and 1216 B for each side to which round trips were measured. Not thread safe.
class History {
 public:
  static constexpr std::size_t kSamples = 300;

  /// The first sample will be that of `step`.
  explicit History(std::uint64_t step) : first_(step), next_(step) {}

  /// The sample of the step after the last one; `step` is its number, for a check.
  void put(std::uint64_t step, const Sample& sample);
  /// A step in which nothing happened.
  void put_nothing(std::uint64_t step) { put(step, Sample{}); }

  /// Steps of which there are samples: [first(), next()).
  [[nodiscard]] std::uint64_t first() const;
  [[nodiscard]] std::uint64_t next() const { return next_; }
  /// REQUIRES: first() <= step < next().
  [[nodiscard]] Sample at(std::uint64_t step) const;
  /// Whether there is a sample in which units were lost for this reason.
  [[nodiscard]] bool has(Loss loss) const {
    return lost_[static_cast<std::size_t>(loss)] != nullptr;
  }
  /// Whether there is a sample in which round trips to this side were measured.
  [[nodiscard]] bool has(traffic::Side side) const {
    return trips_[static_cast<std::size_t>(side)].p50 != nullptr;
  }
  /// Whether nothing happened in all samples there are, and the ring has gone round.
  [[nodiscard]] bool over() const { return next_ - last_event_ > kSamples; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Codes {
    std::uint16_t bits, units, backlog, p50, p99;
  };
  // Of a quantity that most buckets never have: it is there as long as a value in it is not 0.
  struct Ring {
    std::uint64_t last_step;  // In which the value was not 0.
    std::array<std::uint16_t, kSamples> codes{};
  };
  using SparseRing = std::unique_ptr<Ring>;
  struct TripRings {
    SparseRing p50, p90;
  };
  // Returns whether the value is not 0.
  static bool put(SparseRing& ring, std::uint64_t step, double value);
  [[nodiscard]] static double value_at(const SparseRing& ring, std::uint64_t step);
  // Rates of losses may be well below 1 a second.
  static constexpr double kRateScale = 1000;

  const std::uint64_t first_;
  std::uint64_t next_;
  std::uint64_t last_event_ = next_;
  std::array<Codes, kSamples> codes_{};
  std::array<SparseRing, kLosses> lost_;
  std::array<TripRings, traffic::kSides> trips_;  // By traffic::Side.
};

}  // namespace drip::control
