// SPDX-License-Identifier: BSD-3-Clause
// Makes all metric families of a node from what it is and does at this moment.
#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "control/rpc/calls/services_context.h"
#include "control/server/call_counts.h"
#include "metrics/bucket_choice.h"
#include "metrics/bucket_selection.h"
#include "metrics/families/family.h"

namespace drip::metrics {

/// Thread safe: scrapes that overlap are made one after the other.
class Collector {
 public:
  /// `context` and `calls` outlive the collector; without `calls` there are no families of RPCs.
  Collector(const control::ServicesContext& context, const control::CallCounts* calls,
            BucketChoice choice)
      : context_(context), calls_(calls), selection_(context, std::move(choice)) {}

  [[nodiscard]] std::vector<MetricFamily> collect();

 private:
  void collect_traffic(Families& families) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void collect_lcores(Families& families) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] NodeCounts node_counts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const control::ServicesContext& context_;
  const control::CallCounts* const calls_;
  Mutex mutex_;
  BucketSelection selection_ ABSL_GUARDED_BY(mutex_);
  std::vector<WideHistogram> lcore_lateness_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::metrics
