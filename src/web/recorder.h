// SPDX-License-Identifier: BSD-3-Clause
// Reads all buckets, ports and polling threads every two seconds, and keeps ten minutes of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"
#include "control/model/rule_spec.h"
#include "control/rpc/calls/services_context.h"
#include "engine/stats.h"
#include "web/bucket_table.h"
#include "web/history.h"

namespace drip::web {

/// Buckets that have a history at one time: 30 MB if all of them send. Of more it is those that
/// sent most in the last minute.
inline constexpr std::size_t kMostHistories = 10'000;

/// A rule that makes a bucket for each flow. These buckets have no rows and no histories.
struct FlowRuleReading {
  std::string rule_id;
  control::RuleSpec::PerFlow flow;
  FlowRuleStats stats;
};

/// What a node has beside its buckets, at the end of a step.
struct NodeReading {
  TimePoint time;
  std::vector<PortStats> ports;
  std::vector<LcoreStats> lcores;
  std::vector<FlowRuleReading> flow_rules;
  std::size_t rules = 0;
  std::vector<std::string> warnings;  ///< Those of GetNode.
};

/// What has been recorded up to the last step.
struct Record {
  BucketTable buckets;
  History all{0};  ///< Sums over the roots, and losses over the leaves.
  Sample all_now;
  NodeReading now, before;
  std::uint64_t steps = 0;  ///< How many there were; the last one has the number steps - 1.
  std::array<std::int64_t, History::kSamples> step_epoch_ms{};  ///< By number modulo its size.
  std::uint64_t last_step_cpu_ns = 0;
  std::size_t histories = 0;
  std::size_t history_bytes = 0;

  [[nodiscard]] std::int64_t epoch_ms(std::uint64_t step) const {
    return step_epoch_ms[step % step_epoch_ms.size()];
  }
};

/// Thread safe. Polling threads take no part: counters are read where they lie.
class Recorder {
 public:
  /// `context` outlives the recorder.
  explicit Recorder(const control::ServicesContext& context,
                    std::size_t most_histories = kMostHistories)
      : context_(context), most_histories_(most_histories) {}

  /// Reads everything once. To be called every two seconds.
  void step();
  /// Calls use() with what has been recorded, which does not change meanwhile. A step waits for it.
  void with_record(absl::FunctionRef<void(const Record&)> use) const;

 private:
  [[nodiscard]] NodeReading read_node() const;
  [[nodiscard]] std::vector<BucketRow> next_rows(double seconds)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // None of a bucket that is seen for the first time.
  std::optional<Sample> read(BucketRow& row, double seconds) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void record(BucketRow& row, const Sample& sample, const HistogramCounts* sojourn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void set_parents(std::vector<BucketRow>& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void add_backlogs(std::vector<BucketRow>& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void choose_busiest(std::vector<BucketRow>& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void sum_up() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const control::ServicesContext& context_;
  const std::size_t most_histories_;
  mutable Mutex mutex_;
  Record record_ ABSL_GUARDED_BY(mutex_);
  // Of the step that is being made.
  std::array<double, kLosses> lost_ ABSL_GUARDED_BY(mutex_){};
  std::vector<std::pair<std::size_t, Sample>> inner_samples_ ABSL_GUARDED_BY(mutex_);
  std::size_t kept_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace drip::web
