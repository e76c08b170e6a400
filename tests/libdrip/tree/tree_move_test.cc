// SPDX-License-Identifier: BSD-3-Clause
// A tree that moves from one scheduler to another and back, and one that never moves.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "../drawn_seed.h"
#include "drip/read_bucket_counters.h"
#include "drip/scheduler.h"
#include "drip/tree/tree_memory.h"

namespace drip {
namespace {

constexpr std::uint32_t kNodes = 8;
constexpr std::uint32_t kInner = 3;  // Nodes 0 to 2: the root, and two that may be below it.
constexpr std::uint32_t kCapacity = 1 << 12;
constexpr std::uint32_t kSlots = 2 * kNodes;

struct Left {
  std::uint64_t number;
  TimePoint at;
  friend auto operator<=>(const Left& a, const Left& b) { return a.number <=> b.number; }
  friend bool operator==(const Left&, const Left&) = default;
};

struct Unit {
  alignas(64) std::uint64_t number = 0;
  std::uint32_t leaf = 0;
};

struct Sink {
  std::array<std::vector<Left>, kNodes> of;  // By leaf.
  std::vector<TimePoint> times;              // Of all of them.
  [[nodiscard]] bool has_room(UnitRef) const { return true; }
  void departed(UnitRef unit, TimePoint now, Duration) {
    const auto* const one = static_cast<const Unit*>(unit.address());
    of[one->leaf].push_back({one->number, now});
    times.push_back(now);
  }
};

// What binds. With packets of one size it can be told then what a move may not change.
enum class Binds : std::uint8_t {
  kRoot,    ///< When a packet leaves, whoever's it is.
  kLeaves,  ///< When each packet of a leaf leaves.
  kChain,   ///< The same: all nodes have one child.
};

struct Shape {
  Binds binds = Binds::kRoot;
  std::array<BucketSettings, kNodes> settings;
  std::array<NodeSettings, kNodes> share;
  std::array<std::uint32_t, kNodes> parent{};
  std::uint32_t bytes = 0;
};

Shape drawn_shape(test::Draw& draw) {
  Shape shape;
  shape.binds = static_cast<Binds>(draw.between(0, 2));
  shape.bytes = static_cast<std::uint32_t>(draw.between(64, 1514));
  const auto rate = [&](std::uint64_t least, std::uint64_t most) {
    return static_cast<double>(draw.of_any_size(least, most));
  };
  // What is late by more is lost, of guarantees as well.
  const Duration catchup{static_cast<std::int64_t>(draw.of_any_size(1'000, 1'000'000'000))};
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    BucketSettings& settings = shape.settings[i];
    settings.departure = Departure::kAtStart;
    settings.capacity = i < kInner ? 0 : kCapacity;
    settings.max_catchup = catchup;
    NodeSettings& share = shape.share[i];
    share.weight = static_cast<std::uint32_t>(draw.between(1, 100));
    share.priority = static_cast<std::uint32_t>(draw.between(0, 3));
    share.tolerance = Duration{static_cast<std::int64_t>(draw.of_any_size(1, 1'000'000))};
    // What a child is guaranteed may be more than its parent is: nobody is told that here.
    if (draw.one_in(3)) share.guaranteed_bits_per_second = rate(1'000'000, 100'000'000);
    shape.parent[i] = i == 0 ? 0 : static_cast<std::uint32_t>(draw.between(0, i < kInner ? 0 : 2));
    if (shape.binds == Binds::kLeaves && i >= kInner) {
      settings.bits_per_second = rate(1'000'000, 50'000'000);
    }
    if (shape.binds == Binds::kChain) {
      shape.parent[i] = i == 0 ? 0 : std::min(i - 1, kInner - 1);
      if (i <= kInner) settings.bits_per_second = rate(20'000'000, 500'000'000);
    }
  }
  if (shape.binds == Binds::kRoot)
    shape.settings[0].bits_per_second = rate(20'000'000, 1'000'000'000);
  return shape;
}

// A tree in a scheduler of its own, at one of two places in its table.
class Place {
 public:
  Place(const Shape& shape, TimePoint now)
      : shape_(shape),
        buckets_(std::make_unique<Bucket[]>(kSlots)),
        histograms_(std::make_unique<LatencyHistograms[]>(kSlots)),
        memory_(kSlots, kSlots),
        scheduler_({buckets_.get(), histograms_.get(), kSlots, memory_.arrays()}, now) {}

  Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] std::uint32_t slot(std::uint32_t node) const { return first_ + node; }
  [[nodiscard]] Bucket& bucket(std::uint32_t node) { return buckets_[slot(node)]; }
  [[nodiscard]] const LatencyHistograms& histograms(std::uint32_t node) const {
    return histograms_[slot(node)];
  }
  [[nodiscard]] BucketCounters counters(std::uint32_t node) const {
    return read_bucket_counters(buckets_[slot(node)], histograms_[slot(node)]);
  }
  [[nodiscard]] std::uint64_t green_bytes(std::uint32_t node) const {
    return memory_.arrays().nodes[slot(node)].green_bytes.get();
  }
  [[nodiscard]] TimePoint below_guarantee_from(std::uint32_t node) const {
    return memory_.arrays().guarantees[slot(node)].point.ceil();
  }
  [[nodiscard]] NodeState state(std::uint32_t node) const {
    return scheduler_.tree().states().node(slot(node)).state;
  }
  void create(TimePoint now) {
    first_ = kNodes - first_;
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      bucket(i).state.store(BucketPhase::kFree);
      if (i < kInner) {
        scheduler_.create_inner(slot(i), shape_.settings[i], now);
      } else {
        rings_[i].resize(kCapacity);
        scheduler_.create(slot(i), shape_.settings[i], rings_[i].data(), kCapacity, now);
      }
      NodeSettings settings = shape_.share[i];
      settings.parent = i == 0 ? kNoNode : slot(shape_.parent[i]);
      scheduler_.set_node(slot(i), settings, now);
    }
  }
  // Every node is in the state that follows from what can be seen.
  void expect_states(TimePoint now) {
    const TreeStates& states = scheduler_.tree().states();
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      const NodeState state = states.node(slot(i)).state;
      ASSERT_EQ(state == NodeState::kIdle, !states.has_something(slot(i))) << "node " << i;
      const bool is_due = bucket(i).schedule.due() <= now;
      ASSERT_TRUE(state != NodeState::kParked || bucket(i).hook.scheduled()) << "node " << i;
      ASSERT_TRUE(state != NodeState::kReady || is_due) << "node " << i;
    }
  }

 private:
  const Shape& shape_;
  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<LatencyHistograms[]> histograms_;
  TreeMemory memory_;
  std::array<std::vector<RingEntry>, kNodes> rings_;
  std::uint32_t first_ = 0;
  Scheduler scheduler_;
};

class MovedAndNot {
 public:
  MovedAndNot(test::Draw& draw, TimePoint start)
      : draw_(draw),
        shape_(drawn_shape(draw)),
        now_(start),
        fixed_(shape_, start),
        places_{std::make_unique<Place>(shape_, start), std::make_unique<Place>(shape_, start)} {
    fixed_.create(start);
    places_[0]->create(start);
  }

  void step() {
    now_ = now_ + Duration{static_cast<std::int64_t>(draw_.of_any_size(1, 200'000))};
    poll();
    for (std::uint64_t n = draw_.between(0, 6); n > 0; --n) offer(*places_[at_], true);
    places_[at_]->expect_states(now_);
    if (draw_.one_in(10)) {
      move();
      places_[at_]->expect_states(now_);
    }
    compare();
  }
  void drain() {
    for (int i = 0; i < 10'000 && !fixed_.scheduler().idle(); ++i) {
      now_ = now_ + Duration{10'000'000};
      poll();
    }
    ASSERT_TRUE(fixed_.scheduler().idle());
    ASSERT_TRUE(places_[at_]->scheduler().idle());
    compare();
    for (std::uint32_t i = kInner; i < kNodes; ++i) {
      std::vector<Left> sorted = moved_.of[i];
      ASSERT_TRUE(std::ranges::is_sorted(sorted)) << "order in leaf " << i;
      ASSERT_EQ(moved_.of[i].size(), unmoved_.of[i].size());
    }
  }
  [[nodiscard]] std::size_t departures() const { return moved_.times.size(); }
  [[nodiscard]] std::uint64_t green_bytes() const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < kNodes; ++i) sum += places_[at_]->green_bytes(i);
    return sum;
  }

 private:
  void poll() {
    const auto all = [&](Scheduler& scheduler, Sink& sink) {
      while (scheduler.serve_due(now_, sink).more_is_due) {
      }
    };
    all(fixed_.scheduler(), unmoved_);
    for (const auto& place : places_) all(place->scheduler(), moved_);
  }
  void offer(Place& place, bool cuts_through) {
    const auto leaf = static_cast<std::uint32_t>(
        shape_.binds == Binds::kChain || one_leaf_ ? kInner : draw_.between(kInner, kNodes - 1));
    if (cuts_through && draw_.one_in(3)) {
      const bool cut = fixed_.scheduler().try_cut_through(fixed_.slot(leaf), shape_.bytes, now_);
      ASSERT_EQ(place.scheduler().try_cut_through(place.slot(leaf), shape_.bytes, now_), cut);
      if (cut) return;
    }
    Unit& unit = units_.emplace_back();
    unit.number = units_.size();
    unit.leaf = leaf;
    const RingEntry entry{UnitRef::of(&unit, shape_.bytes, 0), now_};
    ASSERT_EQ(fixed_.scheduler().admit(fixed_.slot(leaf), entry, shape_.bytes),
              RejectReason::kAdmitted);
    ASSERT_EQ(place.scheduler().admit(place.slot(leaf), entry, shape_.bytes),
              RejectReason::kAdmitted);
  }
  // While it moves, nothing departs. A root that was idle begins when the first packet comes of the
  // first leaf that is taken over: that is exact here if no packet of another one comes before.
  void move() {
    Place& from = *places_[at_];
    one_leaf_ = !from.scheduler().is_busy(from.slot(0));
    at_ = 1 - at_;
    Place& to = *places_[at_];
    to.create(now_);
    for (std::uint32_t i = kInner; i < kNodes; ++i) to.scheduler().pause(to.slot(i), now_);
    to.scheduler().hold(to.slot(0), now_);
    const auto time_passes = [&] {
      for (std::uint64_t n = draw_.between(0, 6); n > 0; --n) {
        now_ = now_ + Duration{static_cast<std::int64_t>(draw_.between(0, 1'000))};
        offer(to, false);
      }
      Sink none;  // Either thread goes on polling.
      for (const auto& place : places_) place->scheduler().serve_due(now_, none);
      ASSERT_TRUE(none.times.empty());
    };
    std::array<MovedNode, kNodes> taken;
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      taken[i].is_busy = from.scheduler().is_busy(from.slot(i));
      if (i == 0) from.scheduler().hold(from.slot(0), now_);
    }
    time_passes();
    for (std::uint32_t i = kNodes; i-- > 0;) {
      from.scheduler().take_out_node(from.slot(i), taken[i]);
      from.scheduler().stop(from.slot(i));
      if (draw_.one_in(4)) time_passes();
    }
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      to.scheduler().put_in_node(to.slot(i), taken[i]);
      if (i < kInner) {
        to.scheduler().take_over_inner(to.slot(i), from.bucket(i), from.histograms(i));
      } else {
        std::vector<RingEntry> memory(kCapacity);
        to.scheduler().take_over(to.slot(i), from.bucket(i), from.histograms(i), memory, now_,
                                 [](UnitRef, RejectReason) { FAIL() << "rejected"; });
      }
      if (draw_.one_in(4)) time_passes();
    }
    to.scheduler().resume(to.slot(0), now_);
    for (std::uint32_t i = 0; i < kNodes; ++i) from.scheduler().forget(from.slot(i));
    ASSERT_EQ(from.scheduler().live_buckets(), 0U);
    ASSERT_EQ(from.scheduler().tree().size(), 0U);
    ASSERT_EQ(from.scheduler().tree().structure().inner_nodes(), 0U);
    ASSERT_EQ(to.scheduler().live_buckets(), kNodes);
    ASSERT_TRUE(from.scheduler().idle());
    one_leaf_ = false;
  }
  void compare() {
    ASSERT_EQ(moved_.times, unmoved_.times);
    if (shape_.binds != Binds::kRoot) {
      ASSERT_EQ(moved_.of, unmoved_.of);
    }
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      const BucketCounters moved = places_[at_]->counters(i);
      const BucketCounters fixed = fixed_.counters(i);
      ASSERT_EQ(moved.lost_schedule_ns, fixed.lost_schedule_ns) << "node " << i;
      if (i >= kInner) {
        ASSERT_EQ(moved.admitted, fixed.admitted) << "leaf " << i;
      }
      // The root decides when, and its children who.
      if (shape_.binds == Binds::kRoot && i > 0) continue;
      ASSERT_EQ(moved.departed, fixed.departed) << "node " << i;
      ASSERT_EQ(moved.departed_bytes, fixed.departed_bytes) << "node " << i;
      ASSERT_EQ(moved.backlog, fixed.backlog) << "node " << i;
    }
    if (shape_.binds != Binds::kChain) return;
    // What a guarantee has had comes along.
    for (std::uint32_t i = 0; i < kInner + 1; ++i) {
      ASSERT_EQ(places_[at_]->green_bytes(i), fixed_.green_bytes(i)) << "node " << i;
      // What is due is seen at the next poll there, and has been seen here.
      if (shape_.share[i].guaranteed_bits_per_second == 0 ||
          places_[at_]->state(i) != fixed_.state(i)) {
        continue;
      }
      ASSERT_EQ(places_[at_]->below_guarantee_from(i), fixed_.below_guarantee_from(i)) << i;
    }
  }

  test::Draw& draw_;
  const Shape shape_;
  TimePoint now_;
  Place fixed_;
  std::array<std::unique_ptr<Place>, 2> places_;
  std::size_t at_ = 0;
  bool one_leaf_ = false;
  Sink unmoved_;
  Sink moved_;
  std::deque<Unit> units_;
};

TEST(TreeMove, LeavesTheRateOrderAndCountsAsTheyAre) {
  test::Draw draw(31);
  std::size_t departures = 0;
  std::uint64_t green_bytes = 0;
  for (int round = 0; round < 200; ++round) {
    MovedAndNot trees(draw, TimePoint{draw.between(1, 1ULL << 40)});
    for (int i = 0; i < 400; ++i) {
      trees.step();
      if (::testing::Test::HasFailure()) FAIL() << "round " << round << ", step " << i;
    }
    trees.drain();
    if (::testing::Test::HasFailure()) FAIL() << "round " << round;
    departures += trees.departures();
    green_bytes += trees.green_bytes();
  }
  EXPECT_GT(departures, 100'000U);
  EXPECT_GT(green_bytes, 1'000'000U);
}

}  // namespace
}  // namespace drip
