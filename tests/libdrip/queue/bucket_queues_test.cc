// SPDX-License-Identifier: BSD-3-Clause
// Buckets whose packets wait in other queues than the ring: the schedule holds whatever the order
// is, and changes lose nothing.
#include "drip/queue/bucket_queues.h"

#include <gtest/gtest.h>

#include <array>

#include "libdrip/drawn_seed.h"
#include "libdrip/queue/queued_buckets.h"

namespace drip::test {
namespace {

BucketSettings leaking(double bits_per_second, std::uint32_t capacity = 1000) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = Departure::kAtStart;
  settings.max_catchup = kMaxMaxCatchup;
  return settings;
}
BucketSettings fair(double bits_per_second, std::uint32_t capacity = 1000) {
  BucketSettings settings = leaking(bits_per_second, capacity);
  settings.queue.kind = QueueKind::kFair;
  return settings;
}

// Holds departures to the law, start(i) = max(oldest arrival, end of the last service), which the
// test computes from all that it knows. No packet departs before its time, and what the queue does
// not know costs no more than `most_lag`.
class Law {
 public:
  Law(QueuedBuckets& buckets, std::uint32_t slot, const BucketSettings& settings)
      : buckets_(buckets),
        slot_(slot),
        periods_(ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second)),
        schedule_(buckets.now) {
    buckets.on_departure = [this](const WaitingPacket& packet) {
      schedule_.begin(buckets_.oldest(slot_), {}, Departure::kAtStart);
      EXPECT_LE(schedule_.due().ns, buckets_.now.ns) << "departs before its time";
      schedule_.depart(buckets_.now, periods_.service(packet.bytes), Departure::kAtStart,
                       kMaxMaxCatchup);
      ++departed;
    };
  }
  // How far the bucket's schedule is behind.
  [[nodiscard]] std::int64_t lag_ns() const {
    return (buckets_.bucket(slot_).schedule.due() - schedule_.due()).ns;
  }
  std::uint64_t departed = 0;

 private:
  QueuedBuckets& buckets_;
  std::uint32_t slot_;
  ServicePeriods periods_;
  VirtualSchedule schedule_;
};

void run_random_traffic(Draw& draw, QueuedBuckets& buckets, std::uint32_t slot,
                        std::int64_t service_ns, Law& law) {
  std::int64_t least_lag = 0;
  for (int step = 0; step < 4'000; ++step) {
    const bool stalls = draw.between(0, 400) == 0;
    buckets.pass(static_cast<std::int64_t>(draw.between(1, 1'000)) * service_ns / 1'000 *
                 (stalls ? 200 : 1));
    if (draw.between(0, 1) == 0) buckets.poll();
    const std::uint64_t burst = draw.between(0, 4) == 0 ? draw.between(1, 12) : 0;
    for (std::uint64_t i = 0; i < burst; ++i) {
      const auto flow = static_cast<std::uint32_t>(draw.between(1, 9));
      buckets.arrive(slot, flow < 5 ? 1 : flow, static_cast<std::uint32_t>(draw.between(64, 1514)));
    }
    buckets.poll();
    least_lag = std::min(least_lag, law.lag_ns());
  }
  EXPECT_GE(least_lag, 0) << "credit";
}

TEST(BucketQueues, TheScheduleHoldsInAnyOrder) {
  Draw draw(1);
  for (int round = 0; round < 12; ++round) {
    const double rate = static_cast<double>(draw.of_any_size(1'000'000, 10'000'000'000));
    QueuedBuckets buckets;
    BucketSettings settings = fair(rate, 4'000);
    settings.queue.isolation =
        std::array{Isolation::kFlow, Isolation::kSource, Isolation::kHosts}[draw.between(0, 2)];
    const std::uint32_t slot = buckets.add(settings);
    Law law(buckets, slot, settings);
    const auto service_ns = static_cast<std::int64_t>(800 * 8e9 / rate) + 1;
    run_random_traffic(draw, buckets, slot, service_ns, law);
    EXPECT_GT(law.departed, 1'000U);
    EXPECT_LE(law.lag_ns(), service_ns) << "rate is lost at " << rate << " bit/s";
  }
}

// Each packet departs once or is dropped once, and packets of a flow in their order.
void expect_all_accounted(QueuedBuckets& buckets, std::uint64_t arrived) {
  EXPECT_EQ(arrived, buckets.departures.size() + buckets.drops.size() + buckets.rejected +
                         buckets.waiting().size());
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> last;
  for (const QueuedBuckets::Departed& one : buckets.departures) {
    std::uint64_t& before = last[{one.packet.slot, one.packet.flow}];
    EXPECT_LT(before, one.id) << "flow " << one.packet.flow;
    before = one.id;
  }
}

TEST(BucketQueues, AChangeOfTheQueueKeepsWhatWaits) {
  Draw draw(2);
  for (int round = 0; round < 20; ++round) {
    QueuedBuckets buckets;
    BucketSettings settings = leaking(100e6, 64);
    const std::uint32_t slot = buckets.add(settings);
    Law law(buckets, slot, settings);
    std::uint64_t arrived = 0;
    int changes = 0;
    for (int step = 0; step < 3'000; ++step) {
      for (std::uint64_t i = draw.between(0, 3); i > 0; --i, ++arrived) {
        buckets.arrive(slot, static_cast<std::uint32_t>(draw.between(1, 5)), 1'000);
      }
      buckets.poll_after(static_cast<std::int64_t>(draw.between(1, 400'000)));
      if (draw.between(0, 20) != 0) continue;
      if (!BucketQueues::is_settled(buckets.bucket(slot), buckets.queues()[slot])) continue;
      ++changes;
      settings.queue = {};
      const std::uint64_t kind = draw.between(0, 3);
      if (kind == 1 || kind == 2) settings.queue.kind = QueueKind::kFair;
      if (kind == 1) settings.queue.isolation = Isolation::kHosts;
      if (kind == 2) settings.queue.tins = TinMode::kDiffserv4;
      if (kind == 3) settings.queue.aqm = Aqm::kDualPi2;
      buckets.change(slot, settings);
    }
    EXPECT_GT(changes, 10);
    EXPECT_GE(law.lag_ns(), 0);
    expect_all_accounted(buckets, arrived);
    const Bucket& bucket = buckets.bucket(slot);
    EXPECT_EQ(bucket.backlog.get(), buckets.waiting().size());
    EXPECT_EQ(bucket.admitted.get(),
              bucket.departed.get() + bucket.dropped.get() + bucket.backlog.get());
    // The rest departs, and a plain bucket costs no more than before.
    while (!BucketQueues::is_settled(bucket, buckets.queues()[slot])) buckets.poll_after(100'000);
    buckets.change(slot, leaking(100e6, 64));
    for (int i = 0; i < 1'000; ++i) buckets.poll_after(100'000);
    EXPECT_EQ(buckets.waiting().size(), 0U);
    EXPECT_EQ(bucket.queued, 0U);
    EXPECT_EQ(buckets.queues().packets_in_use(), 0U);
  }
}

TEST(BucketQueues, WhatWaitedBeforeAChangeDepartsFirst) {
  QueuedBuckets buckets;
  const std::uint32_t slot = buckets.add(leaking(8e6));  // 1 byte a us.
  for (int i = 0; i < 4; ++i) buckets.arrive(slot, 1, 1'000);
  buckets.change(slot, fair(8e6));
  buckets.arrive(slot, 2, 1'000);  // New, and sparse, but later.
  EXPECT_FALSE(BucketQueues::is_settled(buckets.bucket(slot), buckets.queues()[slot]));
  for (int i = 0; i < 5; ++i) buckets.poll_after(1'000'000);
  ASSERT_EQ(buckets.departures.size(), 5U);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(buckets.departures[i].packet.flow, 1U);
  EXPECT_TRUE(BucketQueues::is_settled(buckets.bucket(slot), buckets.queues()[slot]));
  EXPECT_EQ(buckets.bucket(slot).queue_changes, 0U);
}

TEST(BucketQueues, APacketIsChosenWhenItDeparts) {
  QueuedBuckets buckets;
  const std::uint32_t slot = buckets.add(fair(8e6));
  for (int i = 0; i < 10; ++i) buckets.arrive(slot, 1, 1'000);
  buckets.poll();  // The first departs; one is due each millisecond.
  buckets.poll_after(1'000'000);
  buckets.poll_after(900'000);
  buckets.arrive(slot, 2, 1'000);
  buckets.poll_after(100'000);
  ASSERT_EQ(buckets.departures.size(), 3U);
  EXPECT_EQ(buckets.departures[2].packet.flow, 2U) << "a sparse flow waits for one packet at most";
}

TEST(BucketQueues, DropsAndMarksAreCountedByReason) {
  QueuedBuckets buckets;
  BucketSettings settings = fair(8e6, 50);
  settings.queue.aqm = Aqm::kCodel;
  settings.queue.max_wait = Duration{200'000'000};
  const std::uint32_t slot = buckets.add(settings);
  std::uint64_t arrived = 0;
  for (int step = 0; step < 4'000; ++step) {
    buckets.arrive(slot, 1, 1'000, Ecn::kEct0);
    buckets.arrive(slot, 2, 1'000);
    arrived += 2;
    buckets.poll_after(1'000'000);
    if (step % 1'000 == 999) buckets.pass(300'000'000);
  }
  std::uint64_t marked = 0;
  for (const auto& one : buckets.departures) marked += static_cast<std::uint64_t>(one.marked);
  const QueueCounters counters = buckets.queues()[slot].read();
  EXPECT_GT(marked, 10U);
  EXPECT_EQ(counters.marks, marked);
  std::array<std::uint64_t, kQueueDrops> drops{};
  for (const Dropped& one : buckets.drops) ++drops[static_cast<std::size_t>(one.reason)];
  EXPECT_GT(counters.overflow_drops, 100U);
  EXPECT_EQ(counters.overflow_drops, drops[static_cast<std::size_t>(QueueDrop::kOverflow)]);
  EXPECT_GT(counters.aqm_drops, 10U);
  EXPECT_EQ(counters.aqm_drops, drops[static_cast<std::size_t>(QueueDrop::kAqm)]);
  EXPECT_GT(counters.max_wait_drops, 10U);
  EXPECT_EQ(counters.max_wait_drops, drops[static_cast<std::size_t>(QueueDrop::kMaxWait)]);
  EXPECT_EQ(buckets.bucket(slot).dropped.get(), buckets.drops.size());
  expect_all_accounted(buckets, arrived);
}

TEST(BucketQueues, LeavesOfATreeHaveQueues) {
  Draw draw(3);
  QueuedBuckets buckets;
  const std::uint32_t root = buckets.add_inner(80e6);
  std::vector<std::uint32_t> leaves;
  for (int i = 0; i < 4; ++i) {
    BucketSettings settings = i == 0 ? leaking(60e6, 200) : fair(60e6, 200);
    if (i == 2) settings.queue.max_wait = Duration{1'000'000};
    if (i == 3) settings.queue.aqm = Aqm::kCodel;
    leaves.push_back(buckets.add(settings));
    NodeSettings share;
    share.parent = root;
    share.weight = static_cast<std::uint32_t>(i) + 1;
    buckets.scheduler().set_node(leaves.back(), share, buckets.now);
  }
  std::uint64_t arrived = 0;
  for (int step = 0; step < 20'000; ++step) {
    for (const std::uint32_t leaf : leaves) {
      if (draw.between(0, 2) == 0) continue;
      buckets.arrive(leaf, static_cast<std::uint32_t>(draw.between(1, 4)), 1'000);
      ++arrived;
    }
    buckets.room = draw.between(0, 50) != 0;
    buckets.poll_after(static_cast<std::int64_t>(draw.between(1, 200'000)));
  }
  expect_all_accounted(buckets, arrived);
  // 1 byte takes 0.1 us at the root. It is full all the time.
  const double seconds = static_cast<double>((buckets.now - QueuedBuckets::kStart).ns) * 1e-9;
  EXPECT_LE(static_cast<double>(buckets.departures.size()) * 8'000, 80e6 * seconds + 16'000);
  EXPECT_GE(static_cast<double>(buckets.departures.size()) * 8'000, 80e6 * seconds * 0.999);
  buckets.room = true;
  for (int i = 0; i < 2'000; ++i) buckets.poll_after(1'000'000);
  EXPECT_EQ(buckets.waiting().size(), 0U);
  EXPECT_TRUE(buckets.scheduler().idle());
}

TEST(BucketQueues, ALeafThatDropsAllItHasIsIdle) {
  QueuedBuckets buckets;
  const std::uint32_t root = buckets.add_inner(8e6);
  BucketSettings settings = fair(8e6);
  settings.queue.max_wait = Duration{5'000'000};
  const std::uint32_t leaf = buckets.add(settings);
  NodeSettings share;
  share.parent = root;
  buckets.scheduler().set_node(leaf, share, buckets.now);
  for (int i = 0; i < 40; ++i) buckets.arrive(leaf, 1, 1'000);
  buckets.poll_after(100'000'000);  // All but what departed at first is too old.
  EXPECT_TRUE(buckets.scheduler().idle());
  EXPECT_EQ(buckets.bucket(leaf).backlog.get(), 0U);
  EXPECT_EQ(buckets.departures.size() + buckets.drops.size(), 40U);
  buckets.arrive(leaf, 1, 1'000);
  buckets.poll_after(10'000'000);
  EXPECT_EQ(buckets.departures.size() + buckets.drops.size(), 41U);
}

TEST(BucketQueues, ABucketThatIsRemovedGivesItsPacketsBack) {
  QueuedBuckets buckets;
  const std::uint32_t slot = buckets.add(fair(8e6));
  for (int i = 0; i < 10; ++i) buckets.arrive(slot, static_cast<std::uint32_t>(i), 1'000);
  std::uint64_t dropped = 0;
  EXPECT_EQ(buckets.scheduler().drop_backlog(slot, [&](UnitRef) { ++dropped; }), 10U);
  EXPECT_EQ(dropped, 10U);
  EXPECT_EQ(buckets.bucket(slot).dropped.get(), 10U);
  buckets.scheduler().drain(slot);
  EXPECT_EQ(buckets.bucket(slot).state.load(), BucketPhase::kRetired);
  EXPECT_EQ(buckets.queues()[slot].profile, nullptr);
  EXPECT_EQ(buckets.queues().packets_in_use(), 0U);
}

}  // namespace
}  // namespace drip::test
