// SPDX-License-Identifier: BSD-3-Clause
// Reads all buckets step by step: their rates, what waits in them, and up to ten minutes of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/recorder/bucket_table.h"
#include "control/recorder/flow_rows.h"
#include "control/recorder/history.h"
#include "control/traffic/traffic_monitor.h"
#include "drip/histogram.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::control {

/// What has been read up to the last step.
struct BucketRecord {
  BucketTable table;
  History all{0};  ///< Sums over the roots, and losses over the leaves.
  Sample all_now;
  std::uint64_t steps = 0;  ///< How many there were; the last one has the number steps - 1.
  TimePoint time;           ///< Of the last one.
  Duration span;            ///< Over which its rates are; 0 of the first one.
  std::array<std::int64_t, History::kSamples> step_epoch_ms{};  ///< By number modulo its size.
  std::size_t histories = 0;
  std::size_t history_bytes = 0;

  [[nodiscard]] std::int64_t epoch_ms(std::uint64_t step) const {
    return step_epoch_ms[step % step_epoch_ms.size()];
  }
};

/// Not thread safe. Polling threads take no part: counters are read where they lie.
class BucketRecorder {
 public:
  /// `most_histories`: buckets that have a history at one time, 3 kB of each that sends. Of more it
  /// is those that sent most in the last minute. `traffic`: where round trips come from; null if no
  /// packets are sampled. All others outlive the recorder.
  BucketRecorder(const Engine& engine, const BucketRegistry& buckets,
                 const Configuration& configuration, const TrafficMonitor* traffic,
                 std::size_t most_histories)
      : engine_(engine),
        buckets_(buckets),
        configuration_(configuration),
        traffic_(traffic),
        most_histories_(most_histories) {}

  /// Reads all buckets once. Histories are of one sample a step, so with histories the steps are to
  /// be of equal length.
  void step();
  [[nodiscard]] const BucketRecord& record() const { return record_; }

 private:
  // Of configured buckets, and of those of flows; both in order of id.
  [[nodiscard]] std::vector<BucketRow> next_rows(std::vector<BucketRow> old, double seconds);
  [[nodiscard]] std::vector<BucketRow> next_flow_rows(std::vector<BucketRow> old, TimePoint now);
  // None of a bucket that is seen for the first time, or was deleted.
  std::optional<Sample> read(BucketRow& row, double seconds);
  std::optional<Sample> read(BucketRow& row, BucketRef bucket, double seconds);
  static void read_sojourns(BucketRow& row, const HistogramCounts& sojourn);
  void keep(BucketRow& row, Sample sample);
  void add_round_trips(std::string_view id, Sample& sample) const;
  static void set_parents(std::vector<BucketRow>& rows);
  void add_backlogs(std::vector<BucketRow>& rows);
  void choose_busiest(std::vector<BucketRow>& rows);
  void sum_up();

  const Engine& engine_;
  const BucketRegistry& buckets_;
  const Configuration& configuration_;
  const TrafficMonitor* const traffic_;
  const std::size_t most_histories_;
  BucketRecord record_;
  TimePoint flows_read_;  // When rows of flows were last read.
  // Of the step that is being made.
  TimePoint trips_begin_;  // Its round trips are those from here on,
  TimePoint trips_end_;    // and before here.
  std::array<double, kLosses> lost_{};
  std::vector<std::pair<std::size_t, Sample>> inner_samples_;
  std::size_t kept_ = 0;
};

}  // namespace drip::control
