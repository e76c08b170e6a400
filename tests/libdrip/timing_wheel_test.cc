// SPDX-License-Identifier: BSD-3-Clause
// The timing wheel against an ordered set, over all its levels, and the work that one poll may do.
#include "drip/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "drawn_seed.h"

namespace drip {
namespace {

using test::Draw;

constexpr std::uint64_t kHourNs = 3'600'000'000'000;
constexpr std::uint64_t kBlockNs = std::uint64_t{1} << 18;  // A slot of level 1.
constexpr std::uint64_t kLevel2Ns = std::uint64_t{1} << 28;
// An ordinary moment; moments whose near future wraps, each with another phase within a slot.
constexpr std::array<std::uint64_t, 4> kOrigins = {12'345'678'901, 0 - std::uint64_t{1},
                                                   0 - std::uint64_t{7'000'077},
                                                   (std::uint64_t{1} << 63) - 3'000'000'001};

// Where the wheel finds the hooks; counts how often it looks.
struct CountedHooks {
  WheelHook* hooks;
  std::uint64_t* looks;
  WheelHook& operator()(std::uint32_t id) const {
    ++*looks;
    return hooks[id];
  }
};

// A wheel and, beside it, what must be in it.
class CheckedWheel {
 public:
  CheckedWheel(std::uint32_t max_items, TimePoint origin)
      : origin_(origin),
        now_(origin),
        hooks_(max_items),
        wheel_(max_items, origin, CountedHooks{hooks_.data(), &looks_}) {}

  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] std::uint64_t looks() const { return looks_; }
  [[nodiscard]] std::size_t size() const { return expected_.size(); }
  [[nodiscard]] bool scheduled(std::uint32_t id) const { return hooks_[id].scheduled(); }
  [[nodiscard]] TimingWheel<CountedHooks>& wheel() { return wheel_; }
  [[nodiscard]] std::optional<TimePoint> earliest() const {
    if (expected_.empty()) return std::nullopt;
    return origin_ + Duration{expected_.begin()->first};
  }

  void insert(std::uint32_t id, TimePoint due) {
    hooks_[id].due = due;
    wheel_.insert(id);
    ASSERT_TRUE(hooks_[id].scheduled());
    expected_.insert({(due - origin_).ns, id});
  }
  void remove(std::uint32_t id) {
    wheel_.remove(id);
    ASSERT_FALSE(hooks_[id].scheduled());
    ASSERT_EQ(expected_.erase({(hooks_[id].due - origin_).ns, id}), 1U);
  }

  // One call of collect(): what comes out is due and was in, and nothing that is due stays in if
  // there was room for it.
  std::size_t collect(TimePoint now, std::size_t room) {
    now_ = now;
    std::vector<std::uint32_t> out(room);
    const std::size_t count = wheel_.collect(now, out);
    EXPECT_LE(count, room);
    for (std::size_t i = 0; i < count; ++i) {
      const WheelHook& hook = hooks_[out[i]];
      EXPECT_FALSE(hook.scheduled());
      EXPECT_TRUE(hook.due <= now) << "early by " << (hook.due - now).ns << " ns";
      EXPECT_EQ(expected_.erase({(hook.due - origin_).ns, out[i]}), 1U);
    }
    if (count < room && earliest()) {
      EXPECT_TRUE(*earliest() > now) << "kept for " << (now - *earliest()).ns << " ns";
    }
    EXPECT_EQ(wheel_.size(), expected_.size());
    last_out_.assign(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  void collect_all(TimePoint now, std::size_t room) {
    while (collect(now, room) == room) {
      if (::testing::Test::HasFailure()) return;
    }
  }
  [[nodiscard]] const std::vector<std::uint32_t>& last_out() const { return last_out_; }
  [[nodiscard]] TimePoint due(std::uint32_t id) const { return hooks_[id].due; }

  void expect_idle_until_is_not_too_late() {
    const std::optional<TimePoint> idle = wheel_.idle_until();
    ASSERT_EQ(idle.has_value(), !expected_.empty());
    if (!idle || *earliest() <= now_) return;
    ASSERT_TRUE(*idle <= *earliest()) << "late by " << (*idle - *earliest()).ns << " ns";
  }

 private:
  TimePoint origin_;
  TimePoint now_;
  std::uint64_t looks_ = 0;
  std::vector<WheelHook> hooks_;
  TimingWheel<CountedHooks> wheel_;
  std::set<std::pair<std::int64_t, std::uint32_t>> expected_;  // Due since origin_, and id.
  std::vector<std::uint32_t> last_out_;
};

Duration ns(std::uint64_t count) { return Duration{static_cast<std::int64_t>(count)}; }

// A due time: soon or far, overdue, or one beside the edge of a slot of some level.
TimePoint draw_due(Draw& draw, TimePoint now) {
  switch (draw.between(0, 9)) {
    case 0:
      return now + Duration{-static_cast<std::int64_t>(draw.of_any_size(1, kHourNs))};
    case 1:
      return now;
    case 2: {
      constexpr std::array<unsigned, 4> kShifts = {7, 18, 28, 38};
      // As many slots ahead as the level has, or any.
      const std::uint64_t level = draw.between(0, 3);
      const std::uint64_t whole_turn = level == 0 ? 4'096 : 2'048;
      const std::uint64_t slots = draw.one_in(2) ? whole_turn : draw.between(1, 2300);
      const std::uint64_t edge = ((now.ns >> kShifts[level]) + slots) << kShifts[level];
      return TimePoint{edge - 1 + draw.between(0, 2)};
    }
    case 3:
      return now + ns(draw.of_any_size(kHourNs, 400 * kHourNs));
    case 4:
    case 5:
      return now + ns(draw.of_any_size(1, 40 * kHourNs));
    default:
      return now + ns(draw.of_any_size(1, 20'000'000));
  }
}

TEST(TimingWheel, ReturnsAllThatIsDueAndNothingElse) {
  Draw draw(1);
  for (int scenario = 0; scenario < 24; ++scenario) {
    // Few items are often all in the wheel: then each may have a slot, and so a chunk, of its own.
    const auto items = static_cast<std::uint32_t>(draw.of_any_size(1, 3000));
    CheckedWheel checked(items, TimePoint{kOrigins[draw.between(0, kOrigins.size() - 1)]});
    const auto room = draw.of_any_size(1, 64);
    const std::uint64_t longest_step_ns = draw.of_any_size(1000, 2 * kHourNs);
    std::uint64_t left_ns = scenario == 0 ? 600 * kHourNs : 8 * kHourNs;
    for (int step = 0; step < 600; ++step) {
      const std::uint64_t wanted = draw.one_in(20) ? items : draw.between(0, 20);
      for (std::uint64_t i = 0; i < wanted; ++i) {
        const auto id = static_cast<std::uint32_t>(draw.between(0, items - 1));
        if (!checked.scheduled(id)) {
          checked.insert(id, draw_due(draw, checked.now()));
        } else if (draw.one_in(3)) {
          checked.remove(id);
          if (draw.one_in(2)) checked.insert(id, draw_due(draw, checked.now()));
        }
      }
      checked.expect_idle_until_is_not_too_late();
      TimePoint next = checked.now();
      if (draw.one_in(3) && checked.earliest() && *checked.earliest() > next &&
          *checked.earliest() - next < ns(left_ns)) {
        next = *checked.earliest() + Duration{-static_cast<std::int64_t>(draw.between(0, 1))};
      } else if (!draw.one_in(10)) {
        const std::uint64_t step_ns = draw.of_any_size(1, draw.one_in(4) ? longest_step_ns : 2000);
        next = next + ns(std::min(step_ns, left_ns));
      }
      left_ns -= static_cast<std::uint64_t>((next - checked.now()).ns);
      // Now and then more is inserted before all is out.
      checked.collect(next, room);
      if (!draw.one_in(4)) checked.collect_all(next, room);
      if (HasFailure()) FAIL() << "scenario " << scenario << ", step " << step;
    }
    if (scenario == 0) {
      checked.collect_all(checked.now() + ns(410 * kHourNs), 64);
      ASSERT_EQ(checked.size(), 0U);
    }
  }
}

TEST(TimingWheel, KeepsTheOrderOfSlots) {
  Draw draw(2);
  constexpr std::uint32_t kItems = 2000;
  for (const std::uint64_t origin : kOrigins) {
    CheckedWheel checked(kItems, TimePoint{origin});
    for (std::uint32_t id = 0; id < kItems; ++id) {
      checked.insert(id, checked.now() + ns(draw.of_any_size(1, 60'000'000'000)));
    }
    const std::uint64_t origin_slot = origin & ~std::uint64_t{127};
    std::uint64_t last_slot = 0;
    while (checked.size() > 0 && !HasFailure()) {
      const TimePoint now = checked.now() + ns(draw.of_any_size(1, 1'000'000'000));
      std::size_t count = 0;
      do {
        count = checked.collect(now, 16);
        for (const std::uint32_t id : checked.last_out()) {
          const std::uint64_t slot = (checked.due(id).ns - origin_slot) / 128;
          ASSERT_GE(slot, last_slot);
          last_slot = slot;
        }
      } while (count == 16);
    }
  }
}

TEST(TimingWheel, HoldsAsManyItemsAsItWasMadeFor) {
  // Each in a slot of its own, on each level. Then all in one slot, then apart again.
  for (const std::uint64_t gap_ns :
       {std::uint64_t{128}, kBlockNs, kLevel2Ns, std::uint64_t{1} << 38}) {
    constexpr std::uint32_t kItems = 5000;
    CheckedWheel checked(kItems, TimePoint{kOrigins[1]});
    for (int round = 0; round < 3; ++round) {
      for (std::uint32_t id = 0; id < kItems; ++id) {
        checked.insert(id, checked.now() + ns((id + 1) * (round == 1 ? 0 : gap_ns)));
      }
      ASSERT_EQ(checked.wheel().size(), kItems);
      if (round == 1) {
        checked.collect_all(checked.now(), 32);
      } else {
        for (std::uint32_t id = 0; id < kItems; ++id) checked.remove(id);
      }
      ASSERT_EQ(checked.wheel().size(), 0U);
    }
  }
}

TEST(TimingWheel, HasChunksForTheWorstCase) {
  // As many slots as there are, each with one id more than its full chunks hold, or two.
  constexpr std::uint32_t kLevel0 = 4'096;
  for (const std::uint32_t ids_a_slot : {2U, 3U, 14U, 15U, 28U}) {
    const std::uint32_t items = kLevel0 * ids_a_slot;
    std::vector<WheelHook> hooks(items);
    std::uint64_t looks = 0;
    const TimePoint origin{1 << 20};
    TimingWheel wheel(items, origin, CountedHooks{hooks.data(), &looks});
    for (std::uint32_t id = 0; id < items; ++id) {
      hooks[id].due = origin + ns(std::uint64_t{id % kLevel0} * 128);
      wheel.insert(id);
    }
    std::array<std::uint32_t, 64> out;
    std::uint32_t collected = 0;
    for (std::uint32_t slot = 0; slot < kLevel0; ++slot) {
      const std::size_t count = wheel.collect(origin + ns(slot * std::uint64_t{128} + 127), out);
      ASSERT_EQ(count, ids_a_slot) << "slot " << slot;
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(out[i] % kLevel0, slot);
      collected += static_cast<std::uint32_t>(count);
    }
    EXPECT_EQ(collected, items);
    EXPECT_EQ(wheel.size(), 0U);
  }
  // Never none, and far less than one for each when there are many more ids than slots.
  using Wheel = TimingWheel<CountedHooks>;
  EXPECT_EQ(Wheel::most_chunks(1), 1U);
  EXPECT_EQ(Wheel::most_chunks(2), 2U);
  EXPECT_EQ(Wheel::most_chunks(1000), 1000U);  // Each in a slot of level 1.
  EXPECT_LT(Wheel::most_chunks(1 << 20), (1U << 20) / 11);
}

// Ids 0 to count - 1, all in one slot, at one moment.
class OneSlot {
 public:
  explicit OneSlot(std::uint32_t count) : checked_(count, kOrigin) {
    for (std::uint32_t id = 0; id < count; ++id) checked_.insert(id, kDue);
  }
  CheckedWheel& operator*() { return checked_; }
  // Those that come out of it.
  std::set<std::uint32_t> collected() {
    std::set<std::uint32_t> ids;
    std::size_t count = 0;
    do {
      count = checked_.collect(kDue, 5);
      ids.insert(checked_.last_out().begin(), checked_.last_out().end());
    } while (count == 5);
    return ids;
  }

 private:
  static constexpr TimePoint kOrigin{1 << 20};
  static constexpr TimePoint kDue{(1 << 20) + 1000};
  CheckedWheel checked_;
};

TEST(TimingWheel, RemovesAnyIdOfASlot) {
  // The one in the slot's word, one of a full chunk, of the partly filled one, the last that came:
  // another takes its place, or none if it was alone there.
  for (const std::uint32_t count : {1U, 2U, 3U, 14U, 15U, 27U, 28U, 40U}) {
    for (std::uint32_t removed = 0; removed < count; ++removed) {
      OneSlot slot(count);
      (*slot).remove(removed);
      std::set<std::uint32_t> others;
      for (std::uint32_t id = 0; id < count; ++id) {
        if (id != removed) others.insert(id);
      }
      for (const std::uint32_t id : others) ASSERT_TRUE((*slot).scheduled(id));
      ASSERT_EQ(slot.collected(), others) << removed << " of " << count;
    }
  }
}

TEST(TimingWheel, RemovesAllIdsOfASlotInAnyOrder) {
  Draw draw(4);
  for (int round = 0; round < 200; ++round) {
    const auto count = static_cast<std::uint32_t>(draw.between(1, 60));
    OneSlot slot(count);
    std::vector<std::uint32_t> left(count);
    for (std::uint32_t id = 0; id < count; ++id) left[id] = id;
    while (!left.empty()) {
      const auto at = static_cast<std::ptrdiff_t>(draw.between(0, left.size() - 1));
      (*slot).remove(left[static_cast<std::size_t>(at)]);
      left.erase(left.begin() + at);
      ASSERT_EQ((*slot).wheel().size(), left.size());
    }
    ASSERT_FALSE((*slot).wheel().idle_until().has_value());
    ASSERT_TRUE(slot.collected().empty());
  }
}

TEST(TimingWheel, LooksAgainNoSoonerThanItWasTold) {
  // Both are due; one is not to be looked at before its moment, and keeps its due time.
  std::array<WheelHook, 2> hooks;
  std::uint64_t looks = 0;
  const TimePoint begin{1 << 20};
  TimingWheel wheel(2, begin, CountedHooks{hooks.data(), &looks});
  for (WheelHook& hook : hooks) hook.due = begin;
  wheel.insert(0);
  wheel.insert_at(1, begin + ns(2000));
  EXPECT_EQ(wheel.size(), 2U);
  std::array<std::uint32_t, 4> out;
  ASSERT_EQ(wheel.collect(begin, out), 1U);
  EXPECT_EQ(out[0], 0U);
  EXPECT_EQ(wheel.collect(begin + ns(2000 - 128), out), 0U);
  ASSERT_EQ(wheel.collect(begin + ns(2000), out), 1U);
  EXPECT_EQ(out[0], 1U);
  EXPECT_EQ(TimePoint(hooks[1].due), begin);
  // It can be taken back like any other.
  wheel.insert_at(1, begin + ns(4000));
  wheel.remove(1);
  EXPECT_EQ(wheel.size(), 0U);
}

TEST(TimingWheel, WakesASleeperInTimeAndNotForever) {
  // A core that always sleeps until idle_until() finds each item at its due time, to a slot's
  // width.
  Draw draw(3);
  for (const std::uint64_t origin : kOrigins) {
    constexpr std::uint32_t kItems = 40;
    CheckedWheel checked(kItems, TimePoint{origin});
    const std::uint64_t longest_ns = origin == kOrigins[1] ? 45 * kHourNs : 2 * kHourNs;
    for (std::uint32_t id = 0; id < kItems; ++id) {
      checked.insert(id, checked.now() + ns(draw.of_any_size(1, longest_ns)));
    }
    for (int naps = 0; checked.size() > 0; ++naps) {
      ASSERT_LT(naps, 200);
      checked.expect_idle_until_is_not_too_late();
      const TimePoint idle = *checked.wheel().idle_until();
      // In the slot in which something is due a core polls.
      const bool woken = idle <= checked.now();
      checked.collect_all(woken ? *checked.earliest() : idle, 8);
      if (woken) {
        ASSERT_LT((checked.now() - idle).ns, 128);
      }
      if (HasFailure()) return;
    }
  }
}

TEST(TimingWheel, KnowsWhenTheNextItemIsDue) {
  // Whatever level it is on, and with others in its slot and in nearer slots of farther levels.
  Draw draw(7);
  for (const std::uint64_t origin : kOrigins) {
    constexpr std::uint32_t kItems = 200;
    CheckedWheel checked(kItems, TimePoint{origin});
    for (std::uint32_t id = 0; id < kItems; ++id) {
      checked.insert(id, checked.now() + ns(draw.of_any_size(1, 3 * kHourNs)));
    }
    while (checked.size() > 0) {
      const TimePoint next = *checked.wheel().next_due();
      ASSERT_TRUE(next <= *checked.earliest());
      if (*checked.earliest() - checked.now() < ns(std::uint64_t{1} << 38)) {
        ASSERT_EQ(next, *checked.earliest());
      }
      checked.collect_all(next, 8);
      if (HasFailure()) return;
    }
    EXPECT_FALSE(checked.wheel().next_due());
  }
}

TEST(TimingWheel, AnItemToBeLookedAtLaterIsNextThen) {
  std::array<WheelHook, 1> hooks;
  std::uint64_t looks = 0;
  const TimePoint begin{1 << 20};
  TimingWheel wheel(1, begin, CountedHooks{hooks.data(), &looks});
  hooks[0].due = begin;
  wheel.insert_at(0, begin + ns(2048));
  EXPECT_EQ(wheel.next_due(), begin + ns(2048));
}

TEST(TimingWheel, IdleUntilSeesTheWholeOfLevel0) {
  // Late in a block, level 0 reaches into the block after the next one.
  for (std::uint64_t phase = 0; phase < kBlockNs; phase += kBlockNs / 64) {
    for (std::uint64_t ahead = 128; ahead < 2 * kBlockNs; ahead += kBlockNs / 32) {
      CheckedWheel checked(1, TimePoint{phase});
      checked.insert(0, TimePoint{phase + ahead});
      checked.expect_idle_until_is_not_too_late();
      ASSERT_LT((TimePoint{phase + ahead} - *checked.wheel().idle_until()).ns, 128);
    }
  }
}

TEST(TimingWheel, DoesNotMoveWhileTimeDoesNot) {
  // Many due at one moment of the present slot, taken a few at a time, with others in the same slot
  // that are not due: each call looks at what it takes, and at few others.
  constexpr std::uint32_t kItems = 20'000;
  const TimePoint origin{1 << 20};
  CheckedWheel checked(kItems, origin);
  for (std::uint32_t id = 0; id < kItems; ++id)
    checked.insert(id, origin + ns(id % 2 == 0 ? 5 : 90));
  std::uint64_t most = 0;
  for (std::uint32_t left = kItems / 2; left > 0; left -= 32) {
    const std::uint64_t before = checked.looks();
    const std::size_t count = checked.collect(origin + ns(5), 32);
    most = std::max(most, checked.looks() - before);
    if (count < 32) break;
  }
  EXPECT_EQ(checked.size(), kItems / 2);
  EXPECT_LE(most, kItems);  // The last call looks at all, to see that none of them is due.
  checked.collect_all(origin + ns(89), 32);
  EXPECT_EQ(checked.size(), kItems / 2);
  checked.collect_all(origin + ns(90), 32);
  EXPECT_EQ(checked.size(), 0U);
}

// Polls each microsecond until `end`; returns the most looks at hooks of one collect that exceed
// those at what it returned.
std::uint64_t most_looks_of_a_poll(CheckedWheel& checked, TimePoint end, std::size_t room) {
  std::uint64_t most = 0;
  for (TimePoint now = checked.now(); now <= end; now = now + ns(1000)) {
    std::size_t count = room;
    while (count == room) {
      const std::uint64_t before = checked.looks();
      count = checked.collect(now, room);
      most = std::max(most, checked.looks() - before - count);
      if (::testing::Test::HasFailure()) return most;
    }
  }
  return most;
}

TEST(TimingWheel, PullsAHundredThousandItemsAheadBitByBit) {
  Draw draw(4);
  constexpr std::uint32_t kItems = 100'000;
  for (const std::uint64_t origin : {kBlockNs, 0 - 3 * kBlockNs}) {
    CheckedWheel checked(kItems, TimePoint{origin});
    // All in one slot of level 1, the third from now: no level-0 slot reaches it yet.
    for (std::uint32_t id = 0; id < kItems; ++id) {
      checked.insert(id, TimePoint{origin + 3 * kBlockNs + draw.between(0, kBlockNs - 1)});
    }
    const std::uint64_t most =
        most_looks_of_a_poll(checked, TimePoint{origin + 4 * kBlockNs + 1000}, 256);
    ASSERT_EQ(checked.size(), 0U);
    // The even pace is some 435 a microsecond, with an eighth to spare; two looks each to move one
    // (the line is asked for, and its place is written), one to find it due. Emptying the slot at
    // once would be 200,000.
    EXPECT_LT(most, 1700U);
  }
}

TEST(TimingWheel, MovesItemsDownWithoutALookAtWhenTheyAreDue) {
  // Each is looked at to put it where it is and to take it out, and its hook's due time is not
  // read: here it lies.
  constexpr std::uint32_t kItems = 1000;
  std::vector<WheelHook> hooks(kItems);
  std::uint64_t looks = 0;
  const TimePoint origin{5 * kLevel2Ns + 77};
  TimingWheel wheel(kItems, origin, CountedHooks{hooks.data(), &looks});
  std::vector<TimePoint> due(kItems);
  for (std::uint32_t id = 0; id < kItems; ++id) {
    // On levels 1, 2 and 3.
    due[id] = origin + ns(std::array{kBlockNs * 3, kLevel2Ns * 7, kLevel2Ns * 3000}[id % 3] +
                          id * std::uint64_t{kBlockNs / 100});
    hooks[id].due = due[id];
    wheel.insert(id);
    // The last level alone asks, once.
    if (id % 3 != 2) hooks[id].due = origin;
  }
  std::array<std::uint32_t, 8> out;
  std::uint32_t collected = 0;
  for (const std::uint64_t base : {kBlockNs * 3, kLevel2Ns * 7, kLevel2Ns * 3000}) {
    for (std::uint64_t at = 0; at < 11 * kBlockNs; at += 10'000) {
      const TimePoint now = origin + ns(base + at);
      std::size_t count = out.size();
      while (count == out.size()) {
        count = wheel.collect(now, out);
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_LT((due[out[i]] - now).ns, 128);  // In the present slot the lie decides.
          ASSERT_LT((now - due[out[i]]).ns, 10'000 + 128);
        }
        collected += static_cast<std::uint32_t>(count);
      }
    }
  }
  EXPECT_EQ(collected, kItems);
}

TEST(TimingWheel, VisitsWhatIsDueSoonInTheOrderOfSlots) {
  Draw draw(6);
  for (const std::uint64_t origin : kOrigins) {
    constexpr std::uint32_t kItems = 3000;
    CheckedWheel checked(kItems, TimePoint{origin});
    for (std::uint32_t id = 0; id < kItems; ++id) {
      checked.insert(id, checked.now() + ns(draw.between(0, 2'000'000)));
    }
    std::vector<bool> visited(kItems);
    TimePoint reached = checked.now();
    for (int step = 0; step < 2000; ++step) {
      const TimePoint now = checked.now() + ns(draw.between(1, 2000));
      checked.collect_all(now, 32);
      const TimePoint end = now + ns(3000);
      const auto most = static_cast<std::uint32_t>(draw.between(0, 40));
      std::uint32_t count = 0;
      TimePoint last{0};
      const TimePoint from = reached;
      reached =
          checked.wheel().visit_until(from, end, most, [&](std::uint32_t id, TimePoint begin) {
            ASSERT_TRUE(checked.scheduled(id));
            ASSERT_FALSE(visited[id]);
            ASSERT_LT((checked.due(id) - begin).ns, 128);
            ASSERT_TRUE(begin + ns(128) > from && begin < end);
            ASSERT_TRUE(count == 0 || last <= begin);
            last = begin;
            visited[id] = true;
            ++count;
          });
      ASSERT_LE(count, most);
      if (count < most) {
        ASSERT_TRUE(reached >= end);
      }
      if (HasFailure()) return;
    }
    // With room for some at each step all are visited, but for those of slots with more than it.
    EXPECT_GT(std::ranges::count(visited, true), kItems * 9 / 10);
  }
}

TEST(TimingWheel, PullsLevel2AheadBitByBit) {
  Draw draw(5);
  constexpr std::uint32_t kItems = 20'000;
  const std::uint64_t origin = 5 * kLevel2Ns - 2 * kBlockNs;
  CheckedWheel checked(kItems, TimePoint{origin - 3 * kLevel2Ns});
  for (std::uint32_t id = 0; id < kItems; ++id) {
    checked.insert(id, TimePoint{5 * kLevel2Ns + draw.between(0, kBlockNs - 1)});
  }
  // The slot before passes in polls of 100 us, which is rare for a core, and yet:
  std::uint64_t most = 0;
  for (TimePoint now = checked.now(); now < TimePoint{origin}; now = now + ns(100'000)) {
    const std::uint64_t before = checked.looks();
    ASSERT_EQ(checked.collect(now, 32), 0U);
    most = std::max(most, checked.looks() - before);
  }
  // 8.5 a poll, and two looks each.
  EXPECT_LT(most, 24U);
  most = most_looks_of_a_poll(checked, TimePoint{5 * kLevel2Ns + kBlockNs + 1000}, 256);
  EXPECT_LT(most, 400U);
  EXPECT_EQ(checked.size(), 0U);
}

TEST(TimingWheel, PassesLongSpansWithoutALookAtEachSlot) {
  // Hours without a poll, as of a core that slept: what lies between two items costs nothing.
  std::vector<WheelHook> hooks(3);
  std::uint64_t looks = 0;
  TimingWheel wheel(3, TimePoint{0}, CountedHooks{hooks.data(), &looks});
  for (std::uint32_t id = 0; id < 3; ++id) {
    hooks[id].due = TimePoint{(id + 1) * 150 * kHourNs + id};
    wheel.insert(id);
  }
  std::array<std::uint32_t, 8> out;
  EXPECT_EQ(wheel.collect(TimePoint{150 * kHourNs - 1}, out), 0U);
  EXPECT_EQ(wheel.collect(TimePoint{449 * kHourNs}, out), 2U);
  EXPECT_EQ(wheel.collect(TimePoint{450 * kHourNs + 1}, out), 0U);
  EXPECT_EQ(wheel.collect(TimePoint{450 * kHourNs + 2}, out), 1U);
  EXPECT_LT(looks, 100U);
}

}  // namespace
}  // namespace drip
