// SPDX-License-Identifier: BSD-3-Clause
// A bucket's queue with DualPI2: two first in, first out queues, for L4S and for classic senders.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <optional>

#include "drip/bucket_settings.h"
#include "drip/counter.h"
#include "drip/internal/check_range.h"
#include "drip/queue/dual_pi2.h"
#include "drip/queue/queue_drop.h"
#include "drip/queue/queue_slots.h"
#include "drip/result.h"

namespace drip {

struct DualQueueSettings {
  std::uint32_t capacity = 1024;         ///< Packets that may wait.
  std::uint64_t capacity_bytes = ~0ULL;  ///< Wire bytes that may wait.
  Duration max_wait;                     ///< What has waited longer is dropped; 0: no bound.
  std::uint32_t packet_bytes = 1514;     ///< The largest usual one.
  DualPi2Parameters aqm;
};

[[nodiscard]] inline std::optional<Error> check(const DualQueueSettings& settings) {
  using internal::check_range;
  constexpr std::int64_t kLongest = 10'000'000'000;
  const DualPi2Parameters& aqm = settings.aqm;
  if (auto error = check_range("capacity", settings.capacity, 1U, kMaxCapacity)) return error;
  if (auto error = check_range("target_ns", aqm.target.ns, std::int64_t{1'000}, kLongest)) {
    return error;
  }
  if (auto error = check_range("update_ns", aqm.update.ns, std::int64_t{100'000}, kLongest)) {
    return error;
  }
  if (auto error = check_range("alpha", aqm.alpha, 1e-3, 1e3)) return error;
  if (auto error = check_range("beta", aqm.beta, 1e-3, 1e3)) return error;
  if (auto error = check_range("coupling", aqm.coupling, 1.0, 16.0)) return error;
  return check_range("l4s_threshold_ns", aqm.l4s_threshold.ns, std::int64_t{0}, kLongest);
}

/// RFC 9332. Packets with ECT(1) or CE go into the L4S queue, which is served first but for a tenth
/// of the bytes that is kept for the classic one while both wait, by the credit of Linux'
/// sch_dualpi2 (weights 90 and 10). The packet that is alone is neither dropped nor marked. A queue
/// that is full drops the newcomer.
///
/// The same calls as of FairQueues, and the same rules: head() stays the same, and asks the AQM
/// once, until dequeue(). Belongs to one thread; others may read packets() and the counters. The
/// packets are in slots of a pool of the core; the queue takes 192 bytes.
class DualQueue {
 public:
  static constexpr int kMostDrops = 64;  // Of one call of head().

  DualQueue(QueueSlots& slots, const DualQueueSettings& settings, TimePoint now)
      : slots_(&slots), pi2_(now, settings.aqm) {
    reset_credit(settings);
  }
  DualQueue(const DualQueue&) = delete;
  DualQueue& operator=(const DualQueue&) = delete;

  /// False: it was dropped.
  template <QueueDropSink Sink>
  bool enqueue(const DualQueueSettings& settings, UnitRef unit, Ecn ecn, TimePoint now,
               Sink& sink) {
    advance(settings, now);
    if (packets_.get() >= settings.capacity ||
        bytes_ + unit.wire_bytes() > settings.capacity_bytes) {
      drop(unit, QueueDrop::kOverflow, sink);
      return false;
    }
    const QueueIndex slot = slots_->allocate();
    if (slot == kNoIndex) [[unlikely]] {
      drop(unit, QueueDrop::kNoMemory, sink);
      return false;
    }
    // RFC 9332, section 2.3: CE may have been ECT(1) before.
    QueueIndex& tail = tails_[(static_cast<unsigned>(ecn) & 1) != 0 ? kL4s : kClassic];
    slots_->append(tail, slot, unit, now, ecn);
    tail = slot;
    bytes_ += unit.wire_bytes();
    packets_.add(1);
    return true;
  }

  template <QueueDropSink Sink>
  [[nodiscard]] QueueHead head(const DualQueueSettings& settings, TimePoint now, Sink& sink) {
    for (int drops = 0; staged_ == kNoIndex; ++drops) {
      if (packets_.get() == 0) {
        reset_credit(settings);
        return {};
      }
      if (drops == kMostDrops) return {QueueHead::Status::kAgain};
      advance(settings, now);
      stage(settings, now, sink);
    }
    const QueueSlot& slot = (*slots_)[staged_];
    return {QueueHead::Status::kPacket, staged_marked_, slot.unit, slot.arrival(now)};
  }
  /// REQUIRES: head() told a packet, and it was not taken yet.
  UnitRef dequeue() {
    assert(staged_ != kNoIndex);
    const UnitRef unit = (*slots_)[staged_].unit;
    if (staged_marked_) marks_.add(1);
    leave(staged_);
    staged_ = kNoIndex;
    return unit;
  }
  /// Drops all that waits; returns how many.
  template <QueueDropSink Sink>
  std::uint32_t remove(Sink& sink) {
    const std::uint32_t count = packets_.get();
    if (staged_ != kNoIndex) drop_slot(staged_, QueueDrop::kQueueRemoved, sink);
    staged_ = kNoIndex;
    for (QueueIndex& tail : tails_) {
      while (tail != kNoIndex) {
        drop_slot(slots_->take_first(tail), QueueDrop::kQueueRemoved, sink);
      }
    }
    return count;
  }

  /// When the oldest packet arrived that is not staged; `now` if there is none.
  [[nodiscard]] TimePoint waits_since(TimePoint now) const {
    TimePoint since = now;
    for (const QueueIndex tail : tails_) {
      if (tail != kNoIndex) since = std::min(since, (*slots_)[slots_->first(tail)].arrival(now));
    }
    return since;
  }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] double base_probability() const { return pi2_.base_probability(); }
  // Any thread:
  [[nodiscard]] std::uint32_t packets() const { return packets_.get(); }
  [[nodiscard]] std::uint64_t drops(QueueDrop reason) const {
    return drops_[static_cast<std::size_t>(reason)].get();
  }
  [[nodiscard]] std::uint64_t marks() const { return marks_.get(); }

 private:
  enum Which : std::uint8_t { kL4s, kClassic };
  static constexpr std::int64_t kClassicWeight = 10;
  static constexpr std::int64_t kL4sWeight = 90;

  void reset_credit(const DualQueueSettings& settings) {
    classic_credit_ = std::int64_t{settings.packet_bytes} * (kClassicWeight - kL4sWeight);
  }
  void advance(const DualQueueSettings& settings, TimePoint now) {
    const bool waits = tails_[kL4s] != kNoIndex || tails_[kClassic] != kNoIndex;
    pi2_.advance(settings.aqm, now, waits, waits_since(now));
  }
  template <class Sink>
  void stage(const DualQueueSettings& settings, TimePoint now, Sink& sink) {
    const bool both = tails_[kL4s] != kNoIndex && tails_[kClassic] != kNoIndex;
    const Which from =
        tails_[kL4s] != kNoIndex && (!both || classic_credit_ <= 0) ? kL4s : kClassic;
    const QueueIndex slot = slots_->take_first(tails_[from]);
    const Duration sojourn = (*slots_)[slot].sojourn(now);
    if (settings.max_wait.ns > 0 && sojourn > settings.max_wait) {
      return drop_slot(slot, QueueDrop::kMaxWait, sink);
    }
    staged_marked_ = false;
    if (packets_.get() > 1 && !passes(settings, from, (*slots_)[slot].ecn(), sojourn)) {
      return drop_slot(slot, QueueDrop::kAqm, sink);
    }
    staged_ = slot;
    if (!both) return;
    const auto bytes = static_cast<std::int64_t>((*slots_)[slot].unit.wire_bytes());
    classic_credit_ += from == kL4s ? kClassicWeight * bytes : -kL4sWeight * bytes;
  }
  // False: to be dropped. Sets staged_marked_.
  bool passes(const DualQueueSettings& settings, Which from, Ecn ecn, Duration sojourn) {
    if (from == kClassic) {
      if (!pi2_.hits_classic()) return true;
      if (!is_ecn_capable(ecn) || pi2_.overloaded()) return false;
      staged_marked_ = true;
      return true;
    }
    if (pi2_.overloaded() && pi2_.hits_l4s_as_classic()) return false;
    staged_marked_ = pi2_.marks_l4s(settings.aqm, sojourn);
    return true;
  }
  void leave(QueueIndex slot) {
    bytes_ -= (*slots_)[slot].unit.wire_bytes();
    packets_.set(packets_.get() - 1);
    slots_->release(slot);
  }
  template <class Sink>
  void drop_slot(QueueIndex slot, QueueDrop reason, Sink& sink) {
    const UnitRef unit = (*slots_)[slot].unit;
    leave(slot);
    drop(unit, reason, sink);
  }
  template <class Sink>
  void drop(UnitRef unit, QueueDrop reason, Sink& sink) {
    drops_[static_cast<std::size_t>(reason)].add(1);
    sink.dropped(unit, reason);
  }

  QueueSlots* slots_;
  std::array<QueueIndex, 2> tails_{};  // The last slot of each, a circular list.
  QueueIndex staged_ = kNoIndex;       // Departs next.
  bool staged_marked_ = false;
  std::uint64_t bytes_ = 0;
  std::int64_t classic_credit_ = 0;  // Above 0 it is the classic queue's turn.
  DualPi2 pi2_;
  BasicCounter<std::uint32_t> packets_;
  Counter marks_;
  std::array<Counter, kQueueDrops> drops_;
};
static_assert(sizeof(DualQueue) <= 192);

}  // namespace drip
