// SPDX-License-Identifier: BSD-3-Clause
// Measures the traffic of all buckets from samples of their packets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/work_thread.h"
#include "control/traffic/bucket_names.h"
#include "engine/engine.h"
#include "engine/packet_sample.h"
#include "traffic/sample_planner.h"
#include "traffic/traffic_table.h"

namespace drip::control {

/// What is known of one bucket's traffic.
struct TrafficReading {
  struct RoundTrips {
    HistogramCounts all;                   ///< Since the bucket's first sample.
    std::vector<std::uint32_t> recent_us;  ///< Of the last minute, at most 64; ascending.
  };
  std::array<RoundTrips, traffic::kSides> round_trips;  ///< By traffic::Side.
  [[nodiscard]] const RoundTrips& to(traffic::Side side) const {
    return round_trips[static_cast<std::size_t>(side)];
  }
  std::uint64_t segments = 0;
  std::uint64_t retransmitted_segments = 0;
  traffic::FlowWindows::Reading flows;
};

/// Of all samples together.
struct TrafficTotals {
  std::uint64_t samples = 0;
  std::uint64_t lost = 0;     ///< Their ring was full.
  std::uint64_t refused = 0;  ///< There was no room for another bucket or connection.
  SamplePlan plan;
};

/// Polling threads copy some packets' headers into rings; this reads them on a thread of its own.
/// Thread safe but for begin() and end(). Everything it refers to outlives it, and the engine's
/// polling threads must run or be stopped for good at begin() and end().
class TrafficMonitor {
 public:
  /// `samples_per_second`: of all workers together, 100 to 1000000.
  TrafficMonitor(Engine& engine, const BucketRegistry& buckets, const Configuration& configuration,
                 std::uint32_t samples_per_second);
  ~TrafficMonitor() { end(); }
  TrafficMonitor(const TrafficMonitor&) = delete;
  TrafficMonitor& operator=(const TrafficMonitor&) = delete;

  /// Begins to sample, and to read the samples every kPeriod on a thread.
  void begin();
  void end();

  /// None of a bucket of which no packet has been sampled.
  [[nodiscard]] std::optional<TrafficReading> read(std::string_view bucket) const;
  /// The time before which all samples have been read but for those that a worker took long to
  /// hand over. It does not go back.
  [[nodiscard]] TimePoint read_until() const;
  /// Round trips of a bucket by traffic::Side, measured from `begin` on and before `end`: of each
  /// side at most the last 64, in microseconds, ascending.
  [[nodiscard]] std::array<std::vector<std::uint32_t>, traffic::kSides> round_trips_us(
      std::string_view bucket, TimePoint begin, TimePoint end) const;
  [[nodiscard]] TrafficTotals totals() const;

 private:
  static constexpr std::chrono::milliseconds kPeriod{20};

  // Reads what has been sampled. On the thread.
  void step();
  void take_samples(TimePoint until) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void adjust_plan(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Engine& engine_;
  std::vector<std::unique_ptr<SampleRing>> rings_;
  bool sampling_ = false;
  std::unique_ptr<WorkThread> thread_;

  // Of whoever calls step().
  BucketNames names_;
  TimePoint swept_{};

  mutable Mutex mutex_;
  traffic::SamplePlanner planner_ ABSL_GUARDED_BY(mutex_);
  mutable traffic::TrafficTable table_ ABSL_GUARDED_BY(mutex_);
  std::vector<PacketSample> samples_ ABSL_GUARDED_BY(mutex_);  // Read, and not in the table yet.
  traffic::SamplePlanner::Taken taken_ ABSL_GUARDED_BY(mutex_);
  TrafficTotals totals_ ABSL_GUARDED_BY(mutex_);
  TimePoint adjusted_ ABSL_GUARDED_BY(mutex_){};
  TimePoint read_until_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace drip::control
