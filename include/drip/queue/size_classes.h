// SPDX-License-Identifier: BSD-3-Clause
// Finds the flow with the most bytes, to a factor of two, in O(1).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "drip/queue/flow_table.h"

namespace drip {

/// The flows of a leaf by log2 of their bytes: one list a class, and a bit for each that is not
/// empty. A flow is listed and moved up when it grows; when it shrinks or empties it stays, and is
/// moved down only when it is looked at. So a queue that grows and shrinks all the time costs
/// nothing here, and the first flow of the highest class that belongs there is one of the longest.
/// FlowRecord::size_class is the class and 1; 0 if the flow is not listed.
class SizeClasses {
 public:
  static constexpr unsigned kClasses = 24;
  /// Flows that are moved down in one search; then the longest of these will do.
  static constexpr int kMostMoves = 64;

  /// To be called after each packet that a flow gets.
  void grown(FlowTable& flows, QueueIndex index) {
    const FlowRecord& flow = flows[index];
    const unsigned size_class = class_of(flow.bytes) + 1;
    if (size_class <= flow.size_class) [[likely]] {
      return;
    }
    remove(flows, index);
    link(flows, index, size_class);
  }
  /// A flow that may be listed.
  void remove(FlowTable& flows, QueueIndex index) {
    FlowRecord& flow = flows[index];
    if (flow.size_class == 0) return;
    if (flow.next != kNoIndex) flows[static_cast<QueueIndex>(flow.next)].previous = flow.previous;
    if (flow.previous != kNoIndex) {
      flows[static_cast<QueueIndex>(flow.previous)].next = flow.next;
    } else {
      heads_[flow.size_class - 1] = static_cast<QueueIndex>(flow.next);
      if (flow.next == kNoIndex) used_ &= ~(1U << (flow.size_class - 1));
    }
    flow.size_class = 0;
  }
  /// A flow with packets, of the highest class; kNoIndex if no flow has packets.
  [[nodiscard]] QueueIndex fattest(FlowTable& flows) {
    QueueIndex best = kNoIndex;
    for (int moves = 0; used_ != 0; ++moves) {
      const auto highest = static_cast<unsigned>(std::bit_width(used_));
      const QueueIndex index = heads_[highest - 1];
      const std::uint32_t bytes = flows[index].bytes;
      const bool has_packets = flows[index].has_packets();
      if (has_packets && class_of(bytes) + 1 == highest) return index;
      if (has_packets && (best == kNoIndex || bytes > flows[best].bytes)) best = index;
      if (moves >= kMostMoves && best != kNoIndex) [[unlikely]]
        return best;
      remove(flows, index);
      if (has_packets) link(flows, index, class_of(bytes) + 1);
    }
    return kNoIndex;
  }

  /// What fattest() would tell, if it has not shrunk: for prefetches.
  [[nodiscard]] QueueIndex probable_fattest() const {
    return used_ == 0 ? kNoIndex : heads_[static_cast<unsigned>(std::bit_width(used_)) - 1];
  }

  /// Calls `each(index)` for all flows that are listed, those of a class from the first one on.
  template <class Each>
  void visit(const FlowTable& flows, Each each) const {
    for (QueueIndex index : heads_) {
      for (; index != kNoIndex; index = static_cast<QueueIndex>(flows[index].next)) each(index);
    }
  }
  /// A flow that visit() told elsewhere, with its FlowRecord::size_class there, becomes the first
  /// one of that class.
  void put_back(FlowTable& flows, QueueIndex index, unsigned size_class) {
    link(flows, index, size_class);
  }

 private:
  /// 0 up to 127 bytes, then a class for each power of two.
  static unsigned class_of(std::uint32_t bytes) {
    const auto width = static_cast<unsigned>(std::bit_width(bytes));
    return width <= 7 ? 0 : std::min(width - 7, kClasses - 1);
  }
  void link(FlowTable& flows, QueueIndex index, unsigned size_class) {
    FlowRecord& flow = flows[index];
    const QueueIndex head = heads_[size_class - 1];
    flow.size_class = size_class & 0xff;
    flow.previous = kNoIndex;
    flow.next = head & kMaxQueueIndex;
    if (head != kNoIndex) flows[head].previous = index & kMaxQueueIndex;
    heads_[size_class - 1] = index;
    used_ |= 1U << (size_class - 1);
  }

  std::uint32_t used_ = 0;
  std::array<QueueIndex, kClasses> heads_{};
};

}  // namespace drip
