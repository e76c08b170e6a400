// SPDX-License-Identifier: BSD-3-Clause
// Requests in a bucket: place, wait, departure, and what follows when one is taken back.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <random>

#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using State = RequestRecord::State;

constexpr Duration kMillisecond{1'000'000};

class BucketRequestsTest : public testing::TestWithParam<Departure> {
 protected:
  // 10 a second, 100 ms each.
  BucketSettings ten_a_second(std::uint32_t capacity) const {
    BucketSettings settings;
    settings.capacity = capacity;
    settings.units_per_second = 10;
    settings.departure = GetParam();
    return settings;
  }
  bool at_end() const { return GetParam() == Departure::kAtEnd; }
  void use(const BucketSettings& settings) {
    slot_ = h.add_bucket(settings);
    h.send_all_to(slot_);
  }
  Admission admit(std::uint32_t wire_bytes = 0) {
    return h.transmitter.admit_request(slot_, records.emplace_back(), wire_bytes, h.time);
  }
  void release(std::size_t index) { h.transmitter.release_request(slot_, records[index], h.time); }
  // Past the loop, so that nothing departs.
  void offer_packet() {
    void* packet = nullptr;
    h.ports.arrive(0, udp_frame(1, 2, 3, 4, 60));
    ASSERT_EQ(h.ports.rx(0, std::span(&packet, 1)), 1U);
    h.counters.rx_packets.add(1);
    h.transmitter.offer(slot_, packet, 60, 1, h.time, h.time);
  }
  void run_ms(std::int64_t ms) { h.run_for(Duration{ms * kMillisecond.ns}, Duration{100'000}); }
  Bucket& bucket() { return h.bucket(slot_); }
  Duration wait() { return estimated_wait(bucket(), h.time); }
  // When the unit's service began, by its departure.
  static TimePoint start_of(const RequestRecord& record, Duration service, Departure departure) {
    const TimePoint due = record.departed + Duration{-record.lateness.ns};
    return departure == Departure::kAtEnd ? due + Duration{-service.ns} : due;
  }
  void TearDown() override {
    EXPECT_EQ(bucket().admitted.get(),
              bucket().departed.get() + bucket().dropped.get() + bucket().backlog.get());
    EXPECT_TRUE(h.balanced());
  }

  std::deque<RequestRecord> records;  // Longer than the buckets they wait in.
  Harness h;
  std::uint32_t slot_ = 0;
};

TEST_P(BucketRequestsTest, PositionAndWaitComeTrue) {
  use(ten_a_second(100));
  const TimePoint begin = h.time;
  for (std::int64_t i = 0; i < 11; ++i) {
    const Admission admission = admit();
    EXPECT_EQ(admission.reason, RejectReason::kAdmitted);
    EXPECT_EQ(admission.position, static_cast<std::uint64_t>(i) + 1);
    EXPECT_EQ(admission.wait.ns, i * 100 * kMillisecond.ns);
  }
  EXPECT_EQ(bucket().backlog.get(), 11U);
  EXPECT_EQ(bucket().departed.get(), 0U);
  run_ms(30);
  EXPECT_EQ(wait().ns, 1'070 * kMillisecond.ns);
  EXPECT_EQ(admit().position, 12U);  // At the START one has left and is served.
  run_ms(2'000);
  for (std::size_t i = 0; i < 11; ++i) {
    EXPECT_EQ(records[i].state.load(), State::kDeparted);
    EXPECT_EQ((records[i].departed - begin).ns,
              (static_cast<std::int64_t>(i) + (at_end() ? 1 : 0)) * 100 * kMillisecond.ns);
  }
  EXPECT_EQ(wait().ns, 0);
}

TEST_P(BucketRequestsTest, AFullBucketRejectsUntilAServiceEnds) {
  use(ten_a_second(2));
  EXPECT_EQ(admit().reason, RejectReason::kAdmitted);
  EXPECT_EQ(admit().reason, RejectReason::kAdmitted);
  run_ms(99);
  const Admission rejected = admit();
  EXPECT_EQ(rejected.reason, RejectReason::kFull);
  EXPECT_EQ(rejected.position, 0U);
  EXPECT_EQ(records.back().state.load(), State::kIdle);
  run_ms(1);
  EXPECT_EQ(admit().position, 2U);
  EXPECT_EQ(admit().reason, RejectReason::kFull);
  EXPECT_EQ(bucket().rejected[static_cast<std::size_t>(RejectReason::kFull)].get(), 2U);
}

TEST_P(BucketRequestsTest, ReleasedHeadHandsItsServiceOn) {
  use(ten_a_second(100));
  const TimePoint begin = h.time;
  for (int i = 0; i < 5; ++i) admit();
  run_ms(40);
  const std::size_t head = at_end() ? 0 : 1;
  release(head);
  EXPECT_EQ(records[head].state.load(), State::kReleased);
  EXPECT_EQ(bucket().dropped.get(), 1U);
  EXPECT_EQ(wait().ns, 360 * kMillisecond.ns);
  EXPECT_EQ(admit().position, 5U);
  run_ms(1'000);
  // The others are served from 0, 100, 200, 300, 400 on.
  std::int64_t start_ms = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (i == head) continue;
    EXPECT_EQ(records[i].state.load(), State::kDeparted) << i;
    EXPECT_EQ((records[i].departed - begin).ns, (start_ms + (at_end() ? 100 : 0)) * kMillisecond.ns)
        << i;
    start_ms += 100;
  }
}

TEST_P(BucketRequestsTest, ReleasedInTheMiddleOrAtTheTailMakesRoom) {
  use(ten_a_second(5));
  for (int i = 0; i < 5; ++i) admit();
  release(2);
  EXPECT_EQ(wait().ns, 400 * kMillisecond.ns);
  EXPECT_EQ(admit().position, 5U);
  release(5);  // The tail.
  release(4);
  EXPECT_EQ(wait().ns, 300 * kMillisecond.ns);
  EXPECT_EQ(admit().position, 4U);
  release(4);  // Gone already: nothing happens.
  EXPECT_EQ(bucket().backlog.get(), 4U);
  const TimePoint begin = h.time;
  run_ms(1'000);
  for (const std::size_t i : {0, 1, 3, 6}) EXPECT_EQ(records[i].state.load(), State::kDeparted);
  EXPECT_EQ((records[6].departed - begin).ns, (at_end() ? 400 : 300) * kMillisecond.ns);
  release(6);
  EXPECT_EQ(records[6].state.load(), State::kDeparted);
  EXPECT_EQ(bucket().dropped.get(), 3U);
}

TEST_P(BucketRequestsTest, WhoeverGivesUpHisPlaceIsFreeAtOnce) {
  for (const std::uint32_t capacity : {1U, 4U, 5U, 64U, 100U, 1024U}) {
    for (const std::size_t kept :
         {std::size_t{0}, capacity / std::size_t{2}, capacity - std::size_t{1}}) {
      SCOPED_TRACE(testing::Message() << capacity << ", kept " << kept);
      use(ten_a_second(capacity));
      records.clear();
      for (std::uint32_t i = 0; i < capacity; ++i) admit();
      EXPECT_EQ(admit().reason, RejectReason::kFull);
      records.pop_back();
      for (std::size_t i = 0; i < capacity; ++i) {
        if (i != kept) release(i);
      }
      ASSERT_EQ(bucket().backlog.get(), 1U);
      // Packets as well as requests.
      for (std::uint64_t position = 2; position <= capacity; ++position) {
        if (position % 3 == 0) {
          const std::uint64_t before = bucket().admitted.get();
          offer_packet();
          ASSERT_EQ(bucket().admitted.get(), before + 1) << position;
        } else {
          ASSERT_EQ(admit().position, position);
        }
      }
      EXPECT_EQ(admit().reason, RejectReason::kFull);
      // All of them can still be found: each gives its own place up.
      for (std::size_t i = 0; i < records.size(); ++i) release(i);
      EXPECT_EQ(bucket().backlog.get(), capacity / 3);
      h.transmitter.remove(slot_, true, h.time);
    }
  }
}

TEST_P(BucketRequestsTest, AllUnitsFitWhereSoManyWereReleased) {
  use(ten_a_second(64));
  for (int i = 0; i < 64; ++i) admit();
  for (std::size_t i = 0; i < 64; ++i) {
    if (i != 32) release(i);
  }
  UnitsToAdmit units;
  units.bucket.slot = slot_;
  units.all_or_none = true;
  units.count = 64;
  h.transmitter.admit_units(units, h.time);
  EXPECT_EQ(units.admitted, 0U);
  units.count = 63;
  h.transmitter.admit_units(units, h.time);
  EXPECT_EQ(units.admitted, 63U);
  EXPECT_EQ(units.admission.position, 2U);
}

// A packet that leaves past the ring is one of those before a request, too.
TEST_P(BucketRequestsTest, SequenceCountsAllThatWereAdmitted) {
  use(ten_a_second(10));
  h.ports.arrive(0, udp_frame(1, 2, 3, 4, 100));
  h.lcore.poll_once();
  admit();
  admit();
  EXPECT_EQ(records[0].sequence, 1U);
  EXPECT_EQ(records[1].sequence, 2U);
}

TEST_P(BucketRequestsTest, ReleasedLastOne) {
  use(ten_a_second(5));
  admit();
  if (!at_end()) {  // The first leaves at once; the next is the one to release.
    h.lcore.poll_once();
    admit();
  }
  run_ms(70);
  release(records.size() - 1);
  EXPECT_TRUE(h.transmitter.idle());
  // END: the service was for nobody. START: the first is served until 100 ms.
  EXPECT_EQ(wait().ns, at_end() ? 0 : 30 * kMillisecond.ns);
  const TimePoint now = h.time;
  admit();
  run_ms(200);
  EXPECT_EQ((records.back().departed - now).ns, (at_end() ? 100 : 30) * kMillisecond.ns);
}

TEST_P(BucketRequestsTest, ReleasedGiantIsNotLatenessOfTheNext) {
  BucketSettings settings = ten_a_second(5);
  settings.units_per_second = 0;
  settings.bits_per_second = 8'000;  // 1 ms a byte.
  use(settings);
  admit(60);
  admit(10'000);
  admit(20);
  admit(20);
  run_ms(5'060);
  release(1);
  const TimePoint now = h.time;
  run_ms(200);
  EXPECT_EQ(bucket().lost_schedule_ns.get(), 0U);
  EXPECT_LE(h.latencies(slot_).lateness.max_ns, 100'000U);
  if (at_end()) {  // It was in service for 5 s, and the next would have taken 20 ms of these.
    EXPECT_LE((records[2].departed - now).ns, 0);
    EXPECT_EQ((records[3].departed - now).ns, 20 * kMillisecond.ns);
  }
}

// The thread is held up; a request comes, then the overdue head before it is taken back.
TEST_P(BucketRequestsTest, NobodyLeavesBeforeItCame) {
  use(ten_a_second(5));
  admit();
  if (!at_end()) h.lcore.poll_once();
  admit();
  h.time = h.time + Duration{190 * kMillisecond.ns};
  if (at_end()) h.lcore.poll_once();  // The second is to leave at 200.
  h.time = h.time + Duration{50 * kMillisecond.ns};
  const TimePoint arrival = h.time;
  admit();
  release(1);
  h.time = h.time + Duration{10 * kMillisecond.ns};
  h.lcore.poll_once();
  EXPECT_EQ((records[2].departed - arrival).ns, 10 * kMillisecond.ns);
  EXPECT_EQ(records[2].lateness.ns, 10 * kMillisecond.ns);
}

TEST_P(BucketRequestsTest, ReleaseAfterASwitchGivesNoFreshCredit) {
  use(ten_a_second(5));
  const TimePoint begin = h.time;
  if (at_end())
    h.transmitter.change(
        slot_,
        [&] {
          BucketSettings settings = ten_a_second(5);
          settings.departure = Departure::kAtStart;
          return settings;
        }(),
        nullptr, 0, h.time);
  admit();
  h.lcore.poll_once();
  EXPECT_EQ(records[0].state.load(), State::kDeparted);  // And is served until 100 ms.
  admit();
  BucketSettings settings = ten_a_second(5);
  settings.departure = Departure::kAtEnd;
  h.transmitter.change(slot_, settings, nullptr, 0, h.time);
  run_ms(50);
  release(1);
  EXPECT_NEAR(static_cast<double>(wait().ns), 50e6, 2);
  admit();
  run_ms(300);
  EXPECT_NEAR(static_cast<double>((records[2].departed - begin).ns), 200e6, 100'000);
}

TEST_P(BucketRequestsTest, DeleteTellsTheRequests) {
  use(ten_a_second(10));
  for (int i = 0; i < 4; ++i) admit();
  release(2);
  run_ms(10);
  const Removal removal = h.transmitter.remove(slot_, true, h.time);
  EXPECT_EQ(removal.dropped, at_end() ? 3U : 2U);
  EXPECT_EQ(records[0].state.load(), at_end() ? State::kDropped : State::kDeparted);
  EXPECT_EQ(records[1].state.load(), State::kDropped);
  EXPECT_EQ(records[2].state.load(), State::kReleased);
  EXPECT_EQ(records[3].state.load(), State::kDropped);
  EXPECT_EQ(admit().reason, RejectReason::kDraining);
}

TEST_P(BucketRequestsTest, ReleaseEndsADrainingBucket) {
  use(ten_a_second(10));
  if (!at_end()) {
    admit();
    h.lcore.poll_once();
  }
  admit();
  admit();
  EXPECT_EQ(h.transmitter.remove(slot_, false, h.time).draining, 2U);
  release(records.size() - 1);
  EXPECT_EQ(bucket().state.load(), BucketPhase::kDraining);
  release(records.size() - 2);
  EXPECT_EQ(bucket().state.load(), BucketPhase::kRetired);
  EXPECT_EQ(h.transmitter.scheduler().live_buckets(), 0U);
}

// Admissions and releases at random: once nothing changes any more the last newcomer's wait is the
// truth, and so is the order.
TEST_P(BucketRequestsTest, TheLastEstimateComesTrueWhateverWasBefore) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t n) { return random() % n; };
  for (int round = 0; round < 150; ++round) {
    const bool by_bits = below(2) == 0;
    BucketSettings settings = ten_a_second(40);
    settings.units_per_second = by_bits ? 0 : 1e3 + static_cast<double>(below(1'000'000));
    settings.bits_per_second = by_bits ? 1e6 + static_cast<double>(below(1'000'000'000)) : 0;
    use(settings);
    records.clear();
    for (int step = 0; step < 100; ++step) {
      if (below(3) == 0 && !records.empty()) {
        release(below(records.size()));
      } else if (below(3) == 0) {
        h.ports.arrive(0, udp_frame(1, 2, 3, 4, 42 + below(1400)));
        h.lcore.poll_once();
      } else {
        admit(static_cast<std::uint32_t>(1 + below(2000)));
      }
      if (below(2) == 0) h.run_for(Duration{static_cast<std::int64_t>(below(3'000))}, Duration{7});
      h.lcore.poll_once();
    }
    const auto bytes = static_cast<std::uint32_t>(1 + below(2000));
    const TimePoint now = h.time;
    const Admission last = admit(bytes);
    if (last.reason == RejectReason::kAdmitted) {
      EXPECT_EQ(last.position, bucket().occupancy(now));
    }
    for (int i = 0; i < 5000 && !h.transmitter.idle(); ++i) {
      if (const auto next = h.transmitter.idle_until(h.time); next && *next > h.time) {
        h.time = *next;
      }
      h.run_for(Duration{130}, Duration{1});
    }
    ASSERT_TRUE(h.transmitter.idle());
    EXPECT_TRUE(h.balanced());
    if (last.reason != RejectReason::kAdmitted) continue;
    ASSERT_EQ(records.back().state.load(), State::kDeparted);
    const Duration service{static_cast<std::int64_t>(bucket().periods.service(bytes).ns)};
    const TimePoint start = start_of(records.back(), service, GetParam());
    EXPECT_NEAR(static_cast<double>((start - now).ns), static_cast<double>(last.wait.ns), 2);
    std::optional<TimePoint> before;
    for (const RequestRecord& record : records) {
      if (record.state.load() != State::kDeparted) continue;
      EXPECT_LE((before.value_or(record.departed) - record.departed).ns, 0);
      before = record.departed;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ends, BucketRequestsTest,
                         testing::Values(Departure::kAtStart, Departure::kAtEnd),
                         [](const auto& param) {
                           return param.param == Departure::kAtStart ? "Start" : "End";
                         });

}  // namespace
}  // namespace drip::datapath
