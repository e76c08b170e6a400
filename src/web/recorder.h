// SPDX-License-Identifier: BSD-3-Clause
// Reads all buckets, ports and polling threads every two seconds, and keeps ten minutes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"
#include "control/model/rule_spec.h"
#include "control/recorder/bucket_recorder.h"
#include "control/rpc/calls/services_context.h"
#include "engine/stats.h"

namespace drip::web {

/// Buckets that have a history at one time: 31 MB if all of them send, and 24 MB more if round
/// trips to both sides of all are sampled. Of more it is those that sent most in the last minute.
inline constexpr std::size_t kMostHistories = 10'000;

/// A rule that makes a bucket for each flow.
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
  const control::BucketRecord& buckets;
  const NodeReading& now;
  const NodeReading& before;
  std::uint64_t last_step_cpu_ns = 0;
};

/// Thread safe. Polling threads take no part: counters are read where they lie.
class Recorder {
 public:
  /// `context` outlives the recorder.
  explicit Recorder(const control::ServicesContext& context,
                    std::size_t most_histories = kMostHistories)
      : context_(context),
        buckets_(context.engine, context.buckets, context.configuration, context.traffic,
                 most_histories) {}

  /// Reads everything once. To be called every two seconds.
  void step();
  /// Calls use() with what has been recorded, which does not change meanwhile. A step waits for it.
  void with_record(absl::FunctionRef<void(const Record&)> use) const;

 private:
  [[nodiscard]] NodeReading read_node() const;

  const control::ServicesContext& context_;
  mutable Mutex mutex_;
  control::BucketRecorder buckets_ ABSL_GUARDED_BY(mutex_);
  NodeReading now_ ABSL_GUARDED_BY(mutex_);
  NodeReading before_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_step_cpu_ns_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace drip::web
