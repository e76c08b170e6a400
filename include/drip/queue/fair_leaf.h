// SPDX-License-Identifier: BSD-3-Clause
// A leaf of FairQueues: what it costs while idle, and what while packets wait.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/queue/arrival_marks.h"
#include "drip/queue/flow_table.h"
#include "drip/queue/record_pool.h"
#include "drip/queue/round_calendar.h"
#include "drip/queue/size_classes.h"
#include "drip/queue/tins.h"

namespace drip {

/// The fair queue of one bucket, 16 bytes; all else is in the pools of FairQueues while packets
/// wait. Stays where it is. Written by the thread of its FairQueues; others may read the counters.
class FairLeaf {
 public:
  /// `id`: a number that no other leaf of the same FairQueues has, up to FlowOwner::kMaxLeaf.
  explicit FairLeaf(std::uint32_t id) { set_id(id); }
  FairLeaf(const FairLeaf&) = delete;
  FairLeaf& operator=(const FairLeaf&) = delete;
  /// For memory of zeros, or of a leaf that was removed. REQUIRES: no packets, no flows.
  void set_id(std::uint32_t id) {
    assert(id <= FlowOwner::kMaxLeaf);
    id_ = id & FlowOwner::kMaxLeaf;
  }

  /// Packets that wait. Any thread.
  [[nodiscard]] std::uint32_t packets() const { return packets_.get(); }
  /// Flows that have packets or their turn. Any thread.
  [[nodiscard]] std::uint32_t flows() const { return flows_.get(); }

 private:
  friend class FairMemory;
  friend class FairPrefetch;
  friend class FairQueues;
  friend class QueueMove;

  std::uint32_t id_ : 24 = 0;
  std::uint32_t epoch_ : 8 = 0;  // Of FairQueues::remove(): older flow records are not its own.
  QueueIndex backlog_ = kNoIndex;
  BasicCounter<std::uint32_t> packets_;
  BasicCounter<std::uint32_t> flows_;
};
static_assert(sizeof(FairLeaf) == 16, "all that an idle leaf costs");

/// One tin of a leaf: its flows, those that are new before the others.
struct TinBacklog {
  /// When it has priority again: see LeafBacklog::served.
  std::uint64_t due = 0;
  std::uint32_t packets = 0;
  QueueIndex new_flows = kNoIndex;  // The last one of a circular list.
  RoundCalendar old_flows;

  [[nodiscard]] bool has_flows() const { return new_flows != kNoIndex || !old_flows.empty(); }
  /// REQUIRES: has_flows().
  [[nodiscard]] QueueIndex front(FlowTable& flows) {
    return new_flows != kNoIndex ? first_linked(flows, new_flows) : old_flows.front(flows);
  }
  /// Takes the flow off that front() has told.
  void pop(FlowTable& flows, const FlowRecord& flow) {
    if (flow.flow_state() == FlowState::kNew) {
      drop_first_linked(flows, new_flows);
    } else {
      old_flows.pop(flows);
    }
  }
};

/// A leaf with packets, or with flows that have not been put away yet. The first two lines are all
/// that a packet touches, and the third where its flow has 8 KiB or more.
struct alignas(kCacheLineBytes) LeafBacklog {
  ArrivalMarks marks;       ///< Of the packets that are not staged.
  std::uint64_t bytes = 0;  ///< Wire bytes that wait.
  /// The packet that departs next, out of its flow's queue and its slot; its AQM has decided.
  UnitRef staged;
  TimePoint staged_arrival;
  bool is_staged = false;
  bool staged_marked = false;
  bool is_put_away = false;  // In the list of leaves to put away.
  QueueIndex next_put_away = kNoIndex;

  std::array<QueueIndex, kMaxTins> tins{};
  /// Wire bytes that departed: the leaf's clock, by which its tins take turns. It needs no rate,
  /// and is right as well where an ancestor and not the leaf itself is the bottleneck.
  std::uint64_t served = 0;
  FairLeaf* leaf = nullptr;
  SizeClasses sizes;

  /// Asks for the lines that are touched most.
  void prefetch() const {
    prefetch_to_write(&marks);
    prefetch_to_write(&tins);
    prefetch_to_write(reinterpret_cast<const std::byte*>(&tins) + kCacheLineBytes);
  }

  /// A tin within its share, of these the highest; else the one that will be next. REQUIRES: a
  /// packet waits that is not staged.
  [[nodiscard]] std::uint32_t choose_tin(RecordPool<TinBacklog>& pool) const {
    if ((tins[1] | tins[2] | tins[3]) == kNoIndex) [[likely]]
      return 0;
    std::uint32_t best = kMaxTins;
    std::int64_t best_wait = 0;
    for (std::uint32_t tin = 0; tin < kMaxTins; ++tin) {
      if (tins[tin] == kNoIndex || pool[tins[tin]].packets == 0) continue;
      const auto wait = static_cast<std::int64_t>(pool[tins[tin]].due - served);
      if (best < kMaxTins && wait > 0 && wait > best_wait) continue;
      best = tin;
      best_wait = wait;
    }
    return best;
  }
  /// As sch_cake: a tin within its share is due one service later; one beyond it is never further
  /// ahead than its next packet, so that it does not pay later for what nobody else wanted.
  void charge(TinBacklog& tin, std::uint8_t share_log2, std::uint32_t wire_bytes) const {
    const std::uint64_t service = std::uint64_t{wire_bytes} << share_log2;
    tin.due = tin.due < served ? tin.due + service : std::max(tin.due, served + service);
  }
};
static_assert(offsetof(LeafBacklog, tins) == kCacheLineBytes);
static_assert(sizeof(LeafBacklog) == 4 * kCacheLineBytes);

}  // namespace drip
