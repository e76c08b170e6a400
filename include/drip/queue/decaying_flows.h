// SPDX-License-Identifier: BSD-3-Clause
// The flows without packets whose AQM state is not at rest yet, the oldest first.
#pragma once

#include "drip/queue/flow_table.h"

namespace drip {

/// A list linked by FlowRecord::previous and next, which a flow without packets does not need. Its
/// records are the first to be used for other flows: what is lost is that the AQM remembers.
class DecayingFlows {
 public:
  [[nodiscard]] QueueIndex oldest() const { return oldest_; }
  void append(FlowTable& flows, QueueIndex index) {
    FlowRecord& flow = flows[index];
    flow.set_state(FlowState::kDecaying);
    flow.next = kNoIndex;
    flow.previous = newest_ & kMaxQueueIndex;
    if (newest_ != kNoIndex) {
      flows[newest_].next = index & kMaxQueueIndex;
    } else {
      oldest_ = index;
    }
    newest_ = index;
  }
  void remove(FlowTable& flows, QueueIndex index) {
    const FlowRecord& flow = flows[index];
    const auto previous = static_cast<QueueIndex>(flow.previous);
    const auto next = static_cast<QueueIndex>(flow.next);
    if (previous != kNoIndex) flows[previous].next = next & kMaxQueueIndex;
    if (next != kNoIndex) flows[next].previous = previous & kMaxQueueIndex;
    if (index == oldest_) oldest_ = next;
    if (index == newest_) newest_ = previous;
  }

 private:
  QueueIndex oldest_ = kNoIndex;
  QueueIndex newest_ = kNoIndex;
};

}  // namespace drip
