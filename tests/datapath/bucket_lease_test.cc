// SPDX-License-Identifier: BSD-3-Clause
// Buckets whose rate is leased: paused, raised, lowered, and over by the clock, to the nanosecond.
#include <gtest/gtest.h>

#include <vector>

#include "one_bucket.h"

namespace drip::datapath {
namespace {

// 100 bytes at 8 Mbit/s take 100 us.
constexpr double kRate = 8e6;
constexpr Duration kStep{1'000};

LeasedRates bps(double rate) { return {0, rate}; }

class BucketLeaseTest : public OneBucket {
 protected:
  void use_leased(Departure departure = Departure::kAtStart, std::uint32_t capacity = 1000) {
    BucketSettings settings = bits(capacity, kRate, departure);
    settings.rate_is_leased = true;
    use(settings);
    terms_.slot = slot_;
  }
  void lease(const LeasedRates& share, const LeasedRates& fallback, bool fallback_ends = true) {
    h.transmitter.lease(terms_, {share, fallback, fallback_ends}, h.time);
  }
  void ends_in(Duration share, Duration fallback = LeaseList::kNever) {
    h.transmitter.leases().set_ends({h.time + share, h.time + fallback});
  }
  std::size_t sent() { return h.ports.sent(1).size(); }

  LeaseTerms terms_;
};

TEST_F(BucketLeaseTest, LeaksNothingBeforeItsFirstLease) {
  use_leased();
  arrive(10);
  h.run_for(kMillisecond, kStep);
  EXPECT_EQ(sent(), 0U);
  EXPECT_EQ(bucket().backlog.get(), 10U);
  ends_in(Duration{1'000'000'000});
  lease(bps(kRate), {});
  const TimePoint begin = h.time;
  h.run_for(kMillisecond, kStep);
  EXPECT_EQ(sent(), 10U);
  EXPECT_EQ(left_after(begin)[9], 900'000);
  expect_order();
}

TEST_F(BucketLeaseTest, TheEndStopsItWithoutAnyCommand) {
  use_leased();
  ends_in(Duration{350'000});
  lease(bps(kRate), {});
  arrive(20);
  const TimePoint begin = h.time;
  h.run_for(Duration{5'000'000}, kStep);
  EXPECT_EQ(left_after(begin), (std::vector<std::int64_t>{0, 100'000, 200'000, 300'000}));
  EXPECT_EQ(h.transmitter.leases().lapses(), 1U);
  EXPECT_TRUE(h.transmitter.idle());
}

TEST_F(BucketLeaseTest, AThreadThatStoodStillPastTheEndSendsNothingOfTheShare) {
  use_leased();
  ends_in(Duration{1'000'000});
  lease(bps(kRate), {});
  arrive(50);
  h.run_for(Duration{200'000}, kStep);
  const std::size_t before = sent();
  h.time = h.time + Duration{10'000'000'000};
  h.run_for(kMillisecond, kStep);
  EXPECT_EQ(sent(), before);
  // Renewed: it goes on, with no credit for the ten seconds.
  ends_in(Duration{1'000'000'000});
  lease(bps(kRate), {});
  h.run_for(kMillisecond, kStep);
  EXPECT_LE(sent(), before + 11);
  EXPECT_GE(sent(), before + 10);
}

TEST_F(BucketLeaseTest, FallsBackAndThenToNothing) {
  use_leased();
  ends_in(Duration{1'000'000}, Duration{3'000'000});
  lease(bps(kRate), bps(kRate / 10));
  arrive(50);
  const TimePoint begin = h.time;
  h.run_for(Duration{10'000'000}, kStep);
  const auto left = left_after(begin);
  // Ten in the first millisecond (0 to 900 us), the next one is due at 1 ms: at the fallback's rate
  // one a millisecond until 3 ms.
  ASSERT_EQ(left.size(), 12U);
  EXPECT_EQ(left[9], 900'000);
  EXPECT_EQ(left[10], 1'000'000);
  EXPECT_EQ(left[11], 2'000'000);
  EXPECT_EQ(h.transmitter.leases().lapses(), 2U);
}

TEST_F(BucketLeaseTest, AFallbackWithoutAnEndGoesOn) {
  use_leased();
  ends_in(Duration{1'000'000}, Duration{1'000'000});
  lease(bps(kRate), bps(kRate), false);
  arrive(50);
  h.run_for(Duration{10'000'000}, kStep);
  EXPECT_EQ(sent(), 50U);
}

TEST_F(BucketLeaseTest, LatenessIsNotMadeUpForAfterTheEnd) {
  use_leased();
  ends_in(Duration{1'000'000});
  lease(bps(kRate), bps(kRate));
  arrive(50);
  h.time = h.time + Duration{1'500'000};
  const std::size_t before = sent();
  const TimePoint begin = h.time;
  h.run_for(Duration{350'000}, kStep);
  const auto left = left_after(begin);
  EXPECT_EQ(
      std::vector<std::int64_t>(left.begin() + static_cast<std::ptrdiff_t>(before), left.end()),
      (std::vector<std::int64_t>{0, 100'000, 200'000, 300'000}));
}

TEST_F(BucketLeaseTest, ALeaseThatComesTooLateIsOver) {
  use_leased();
  ends_in(Duration{-1});
  arrive(5);
  lease(bps(kRate), bps(kRate / 10));
  h.run_for(kMillisecond, kStep);
  EXPECT_EQ(sent(), 2U);
}

TEST_F(BucketLeaseTest, APauseKeepsWhatIsLeftOfTheService) {
  for (const Departure departure : {Departure::kAtStart, Departure::kAtEnd}) {
    SCOPED_TRACE(static_cast<int>(departure));
    use_leased(departure);
    terms_ = LeaseTerms{};
    terms_.slot = slot_;
    ends_in(Duration{1'000'000'000'000});
    lease(bps(kRate), {});
    arrive(2);
    h.run_for(Duration{30'000}, kStep);
    const std::size_t before = sent();
    lease({}, {});
    h.run_for(Duration{5'000'000}, kStep);
    EXPECT_EQ(sent(), before);
    // 70 us were left; at half the rate they are 140.
    lease(bps(kRate / 2), {});
    const TimePoint begin = h.time;
    h.run_for(Duration{141'000}, Duration{500});
    ASSERT_EQ(sent(), before + 1);
    EXPECT_GE(left_after(begin).back(), 140'000);
    EXPECT_LE(left_after(begin).back(), 140'500);
    h.run_for(Duration{1'000'000}, kStep);
    h.transmitter.end_lease(terms_, h.time);
  }
}

TEST_F(BucketLeaseTest, UnitsThatComeDuringAPauseQueue) {
  use_leased(Departure::kAtEnd);
  ends_in(Duration{1'000'000'000'000});
  arrive(1);
  h.run_for(Duration{3'000'000}, kStep);
  arrive(1);
  lease(bps(kRate), {});
  const TimePoint begin = h.time;
  h.run_for(kMillisecond, kStep);
  EXPECT_EQ(left_after(begin), (std::vector<std::int64_t>{100'000, 200'000}));
}

TEST_F(BucketLeaseTest, CapacityHoldsDuringAPause) {
  use_leased(Departure::kAtStart, 4);
  ends_in(Duration{1'000'000'000'000});
  lease(bps(kRate), {});
  arrive(1);
  h.run_for(Duration{10'000}, kStep);
  ASSERT_EQ(sent(), 1U);  // Still served, for 90 us.
  lease({}, {});
  h.run_for(kMillisecond, kStep);
  arrive(5);
  EXPECT_EQ(bucket().backlog.get(), 3U);
  EXPECT_EQ(rejected(RejectReason::kFull), 2U);
}

TEST_F(BucketLeaseTest, ReleasedHeadOfAPausedBucket) {
  use_leased(Departure::kAtEnd);
  ends_in(Duration{1'000'000'000'000});
  RequestRecord first, second;
  h.transmitter.admit_request(slot_, first, 100, h.time);
  h.run_for(kMillisecond, kStep);
  h.transmitter.admit_request(slot_, second, 100, h.time);
  h.transmitter.release_request(slot_, first, h.time);
  lease(bps(kRate), {});
  const TimePoint begin = h.time;
  h.run_for(kMillisecond, kStep);
  ASSERT_EQ(second.state.load(), RequestRecord::State::kDeparted);
  EXPECT_EQ((second.departed - begin).ns, 100'000);
}

TEST_F(BucketLeaseTest, ChangesOfSettingsLeaveTheShareAlone) {
  use_leased();
  ends_in(Duration{1'000'000'000'000});
  lease(bps(kRate / 2), {});
  arrive(20);
  BucketSettings settings = bits(50, kRate * 100);
  settings.rate_is_leased = true;
  change(settings);
  const TimePoint begin = h.time;
  h.run_for(kMillisecond, kStep);
  EXPECT_LE(sent(), 6U);
  // From lease to settings and back.
  h.transmitter.end_lease(terms_, h.time);
  settings = bits(50, kRate);
  change(settings);
  const std::size_t before = sent();
  h.run_for(Duration{500'000}, kStep);
  EXPECT_GE(sent(), before + 4);
  settings.rate_is_leased = true;
  change(settings);
  const std::size_t paused = sent();
  h.run_for(kMillisecond, kStep);
  EXPECT_EQ(sent(), paused);
  (void)begin;
}

TEST_F(BucketLeaseTest, SharesOfOneRateAddUpAcrossLowerAndRaise) {
  // 40 % for a while, then 10 %: what leaves in each phase is that share of the rate.
  use_leased();
  ends_in(Duration{1'000'000'000'000});
  arrive(900);
  lease(bps(kRate * 0.4), {});
  h.run_for(Duration{100'000'000}, Duration{5'000});
  EXPECT_NEAR(static_cast<double>(sent()), 400, 1);
  const std::size_t before = sent();
  lease(bps(kRate * 0.1), {});
  h.run_for(Duration{100'000'000}, Duration{5'000});
  EXPECT_NEAR(static_cast<double>(sent() - before), 100, 1);
}

}  // namespace
}  // namespace drip::datapath
