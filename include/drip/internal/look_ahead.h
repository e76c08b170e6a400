// SPDX-License-Identifier: BSD-3-Clause
// Asks memory for what departures will touch, some microseconds before they are due.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "drip/time.h"

namespace drip {

/// A departure touches lines that can only be asked for one after another: the bucket says where
/// its ring is, and the ring where the unit is. With many buckets all of them miss the caches. So
/// each is asked for in a step of its own, the last one 1 us ahead, the one before it 2 us, and so
/// on; and a step never follows the one before it in the same call, as its line would not have
/// come.
///
/// These are hints: what is taken off the wheel or put there meanwhile does not matter. Where
/// departures are late it stays up to kMost buckets ahead of them. Not thread safe.
template <std::size_t kSteps>
class LookAhead {
 public:
  static constexpr Duration kStep{1'000};
  static constexpr std::uint32_t kMost = 128;

  explicit LookAhead(TimePoint now) : reached_(now) {}

  /// Calls `first(id)`, and each of `later(id)` in turn, for the items of the wheel whose time for
  /// that has come; a step may be called for an id of which the next one never is, not the reverse.
  template <class Wheel, class First, class... Later>
  void run(const Wheel& wheel, TimePoint now, First first, Later... later) {
    static_assert(1 + sizeof...(Later) == kSteps);
    while (gone_ != filled() && at(gone_).begin < wheel.position()) ++gone_;
    TimePoint end = now;
    // The last one before the others, so that none follows the one before it at once.
    run_later(end, std::index_sequence_for<Later...>(), std::tie(later...));
    reached_ = wheel.visit_until(reached_, end + kStep, kMost - (filled() - gone_),
                                 [&](std::uint32_t id, TimePoint begin) {
                                   at(done_[0]++) = {id, begin};
                                   first(id);
                                 });
  }

 private:
  struct Entry {
    std::uint32_t id;
    TimePoint begin;  // Of its slot.
  };

  // Modulo 2^32.
  [[nodiscard]] static bool is_before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
  }
  [[nodiscard]] Entry& at(std::uint32_t number) { return entries_[number % kMost]; }
  [[nodiscard]] std::uint32_t filled() const { return done_[0]; }

  template <std::size_t... kIndices, class Steps>
  void run_later(TimePoint& end, std::index_sequence<kIndices...>, Steps steps) {
    (run_step<kSteps - 1 - kIndices>(end = end + kStep, std::get<kSteps - 2 - kIndices>(steps)),
     ...);
  }
  template <std::size_t kNumber, class Step>
  void run_step(TimePoint end, Step& step) {
    std::uint32_t& done = done_[kNumber];
    if (is_before(done, gone_)) done = gone_;
    const std::uint32_t before = done_[kNumber - 1];
    for (; is_before(done, before) && at(done).begin <= end; ++done) step(at(done).id);
  }

  std::array<Entry, kMost> entries_;
  // Numbers of entries: those before gone_ have been collected; of those before done_[i] step i has
  // been called, so that those before done_[0] are here.
  std::uint32_t gone_ = 0;
  std::array<std::uint32_t, kSteps> done_{};
  TimePoint reached_;  // Up to where the wheel has been asked.
};

}  // namespace drip
