// SPDX-License-Identifier: BSD-3-Clause
// The rounds of deficit round robin as a calendar: a flow waits in the round in which it may send.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "drip/queue/flow_record.h"

namespace drip {

/// Circular lists of records by their `link`; each is known by its last record.
template <class Records>
void append_linked(Records& records, QueueIndex& last, QueueIndex index) {
  if (last == kNoIndex) {
    records[index].link = index & kMaxQueueIndex;
  } else {
    records[index].link = records[last].link;
    records[last].link = index & kMaxQueueIndex;
  }
  last = index;
}
/// REQUIRES: not empty.
template <class Records>
QueueIndex first_linked(const Records& records, QueueIndex last) {
  return static_cast<QueueIndex>(records[last].link);
}
template <class Records>
void drop_first_linked(Records& records, QueueIndex& last) {
  const QueueIndex index = first_linked(records, last);
  if (index == last) {
    last = kNoIndex;
  } else {
    records[last].link = records[index].link;
  }
}
/// Appends the whole list `from` to the list `to`.
template <class Records>
void splice_linked(Records& records, QueueIndex& to, QueueIndex& from) {
  if (to != kNoIndex && from != kNoIndex) {
    const auto first = records[to].link;
    records[to].link = records[from].link;
    records[from].link = first;
  }
  if (from != kNoIndex) to = from;
  from = kNoIndex;
}

/// Calls `each(index)` for the records from `first` to `last` of a list, which may take them out.
template <class Records, class Each>
void visit_linked(const Records& records, QueueIndex first, QueueIndex last, Each each) {
  for (QueueIndex index = first;;) {
    const auto next = static_cast<QueueIndex>(records[index].link);
    each(index);
    if (index == last) return;
    index = next;
  }
}

/// Deficit round robin (Shreedhar and Varghese, 1996) visits each flow in each round, and gives it
/// a quantum. A flow whose quantum is a thousandth, since its host has a thousand flows, would be
/// visited a thousand times a packet. Here a flow is put right into the round in which its deficit
/// will be positive, so it is visited once a packet; with quanta of a packet at least that is the
/// next round, and the order is that of the plain list.
///
/// Two levels: the next 32 rounds, and blocks of 32 rounds up to 1024 ahead, which are looked at
/// again when their block begins.
class RoundCalendar {
 public:
  static constexpr std::uint32_t kRounds = 32;
  static constexpr std::uint32_t kLists = 2 * kRounds;

  [[nodiscard]] bool empty() const { return (near_ | far_) == 0; }

  /// Puts a flow into the round in which it may send, at least the next one, and gives it the
  /// quanta of the rounds until then: `quantum` / `load` each, in units of its deficit.
  template <class Records>
  void insert(Records& records, QueueIndex index, std::uint32_t quantum, std::uint32_t load) {
    FlowRecord& flow = records[index];
    const std::int64_t debt = -std::int64_t{flow.deficit};
    std::uint32_t rounds = 1;
    if (load == 1 && debt < quantum) [[likely]] {
      flow.deficit += static_cast<std::int32_t>(quantum);
    } else {
      // The least number of rounds that makes the deficit positive.
      rounds = debt < 0 ? 1
                        : static_cast<std::uint32_t>(
                              std::min<std::int64_t>(debt * load / quantum + 1, 1U << 20));
      if (rounds >= kRounds) {
        const std::uint32_t in_block = round_ % kRounds;
        rounds = std::min((in_block + rounds) / kRounds, kRounds - 1) * kRounds - in_block;
      }
      flow.deficit += static_cast<std::int32_t>(std::int64_t{quantum} * rounds / load);
    }
    if (rounds < kRounds) {
      put(records, rounds_, near_, (round_ + rounds) % kRounds, index);
    } else {
      put(records, blocks_, far_, (round_ + rounds) / kRounds % kRounds, index);
    }
  }
  /// Puts a flow into the next round and gives it nothing.
  template <class Records>
  void insert_unpaid(Records& records, QueueIndex index) {
    put(records, rounds_, near_, (round_ + 1) % kRounds, index);
  }
  /// The flow whose turn it is. REQUIRES: !empty().
  template <class Records>
  [[nodiscard]] QueueIndex front(Records& records) {
    if (rounds_[round_ % kRounds] == kNoIndex) advance(records);
    return first_;
  }
  /// Takes the flow off that front() has just told.
  template <class Records>
  void pop(const Records& records) {
    const std::uint32_t at = round_ % kRounds;
    if (first_ == rounds_[at]) {
      rounds_[at] = kNoIndex;
      near_ &= ~(1U << at);
    } else {
      // Nothing is added to the list any more, so its last record may go on naming this one: it is
      // not touched.
      first_ = static_cast<QueueIndex>(records[first_].link);
    }
  }
  /// What front() would tell, if it is known: for prefetches.
  [[nodiscard]] QueueIndex probable_front() const { return first_; }
  /// What front() would tell once that has had its turn, if it is known. REQUIRES: the record of
  /// probable_front() is there.
  template <class Records>
  [[nodiscard]] QueueIndex probable_second(const Records& records) const {
    if (first_ != rounds_[round_ % kRounds]) return first_linked(records, first_);
    const QueueIndex last = probable_end();
    return last == kNoIndex ? first_ : first_linked(records, last);
  }
  /// Behind it comes who has had its turn.
  [[nodiscard]] QueueIndex probable_end() const { return rounds_[(round_ + 1) % kRounds]; }
  /// Asks for what tells the ends of this round and of the next one.
  void prefetch_ends() const {
    prefetch_to_write(&rounds_[round_ % kRounds]);
    prefetch_to_write(&rounds_[(round_ + 1) % kRounds]);
  }

  // For what moves to another calendar: the round, and the lists by number.

  [[nodiscard]] std::uint32_t round() const { return round_; }
  /// Calls `each(index, list)` for all flows, those of a list in their order.
  template <class Records, class Each>
  void visit(const Records& records, Each each) const {
    for (std::uint32_t at = 0; at < kRounds; ++at) {
      if (rounds_[at] != kNoIndex) {
        const QueueIndex first =
            at == round_ % kRounds ? first_ : first_linked(records, rounds_[at]);
        visit_linked(records, first, rounds_[at],
                     [&](QueueIndex index) { each(index, static_cast<std::uint8_t>(at)); });
      }
      if (blocks_[at] != kNoIndex) {
        visit_linked(
            records, first_linked(records, blocks_[at]), blocks_[at],
            [&](QueueIndex index) { each(index, static_cast<std::uint8_t>(kRounds + at)); });
      }
    }
  }
  /// REQUIRES: empty().
  void start_at(std::uint32_t round) { round_ = round; }
  /// Appends a flow to the list that visit() told of a calendar in the same round.
  template <class Records>
  void put_back(Records& records, std::uint8_t list, QueueIndex index) {
    if (list >= kRounds) return put(records, blocks_, far_, list - kRounds, index);
    if (list == round_ % kRounds && rounds_[list] == kNoIndex) first_ = index;
    put(records, rounds_, near_, list, index);
  }

 private:
  using Lists = std::array<QueueIndex, kRounds>;

  template <class Records>
  static void put(Records& records, Lists& lists, std::uint32_t& used, std::uint32_t at,
                  QueueIndex index) {
    append_linked(records, lists[at], index);
    used |= 1U << at;
  }
  template <class Records>
  void advance(Records& records) {
    find_round(records);
    first_ = first_linked(records, rounds_[round_ % kRounds]);
  }
  template <class Records>
  void find_round(Records& records) {
    const std::uint32_t to_block = kRounds - round_ % kRounds;
    const auto ahead = static_cast<std::uint32_t>(
        near_ != 0 ? std::countr_zero(std::rotr(near_, static_cast<int>(round_ % kRounds)))
                   : kRounds);
    if (far_ == 0 || ahead < to_block) {
      round_ += ahead;
      return;
    }
    // The next block with flows, unless a round comes before it.
    const std::uint32_t block = round_ / kRounds;
    const auto blocks = static_cast<std::uint32_t>(
        std::countr_zero(std::rotr(far_, static_cast<int>((block + 1) % kRounds))) + 1);
    const std::uint32_t to_far = (block + blocks) * kRounds - round_;
    if (ahead < to_far && near_ != 0) {
      round_ += ahead;
      return;
    }
    round_ += to_far;
    const std::uint32_t at = (block + blocks) % kRounds;
    splice_linked(records, rounds_[round_ % kRounds], blocks_[at]);
    near_ |= 1U << round_ % kRounds;
    far_ &= ~(1U << at);
  }

  std::uint32_t round_ = 0;
  std::uint32_t near_ = 0;  // One bit for each list below that is not empty.
  std::uint32_t far_ = 0;
  QueueIndex first_ = kNoIndex;  // Of the present round.
  Lists rounds_{};               // The last flow of each.
  Lists blocks_{};
};

}  // namespace drip
