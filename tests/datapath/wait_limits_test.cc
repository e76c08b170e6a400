// SPDX-License-Identifier: BSD-3-Clause
// Units that may not wait for any time, and looks that admit nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>

#include "libdrip/drawn_seed.h"
#include "one_bucket.h"

namespace drip::datapath {
namespace {

constexpr std::int64_t kService = 100 * kMillisecond.ns;

class WaitLimitsTest : public OneBucket {
 protected:
  void use_ten_a_second(std::uint32_t capacity, Departure departure = Departure::kAtEnd) {
    BucketSettings settings;
    settings.capacity = capacity;
    settings.units_per_second = 10;
    settings.departure = departure;
    use(settings);
  }
  Admission admit(const WaitLimits& limits) {
    return h.transmitter.admit_request(slot_, records_.emplace_back(), 0, h.time, limits);
  }
  UnitsToAdmit units(std::uint32_t count, std::int64_t start_ns, bool all_or_none = false,
                     bool peek = false) {
    UnitsToAdmit units;
    units.bucket.slot = slot_;
    units.count = count;
    units.all_or_none = all_or_none;
    units.peek = peek;
    units.limits.start.ns = start_ns;
    h.transmitter.admit_units(units, h.time);
    return units;
  }
  std::uint64_t too_long() { return rejected(RejectReason::kWaitTooLong); }
  void TearDown() override {
    h.transmitter.remove(slot_, true, h.time);
    OneBucket::TearDown();
  }

  std::deque<RequestRecord> records_;
};

TEST_F(WaitLimitsTest, OneThatWouldWaitForTooLongIsNotCharged) {
  use_ten_a_second(10);
  EXPECT_EQ(admit({.start = Duration{0}}).position, 1U);
  EXPECT_EQ(admit({.start = Duration{kService}}).reason, RejectReason::kAdmitted);
  const Admission refused = admit({.start = Duration{2 * kService - 1}});
  EXPECT_EQ(refused.reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(refused.position, 0U);
  EXPECT_EQ(refused.wait.ns, 2 * kService);
  EXPECT_EQ(records_.back().state.load(), RequestRecord::State::kIdle);
  EXPECT_EQ(bucket().backlog.get(), 2U);
  EXPECT_EQ(bucket().admitted.get(), 2U);
  EXPECT_EQ(too_long(), 1U);
  EXPECT_EQ(admit({}).position, 3U);
}

TEST_F(WaitLimitsTest, ADepartureAtTheEndIsAServiceLater) {
  use_ten_a_second(10);
  EXPECT_EQ(admit({.departure = Duration{kService - 1}}).reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(admit({.departure = Duration{kService}}).reason, RejectReason::kAdmitted);
  h.transmitter.remove(slot_, true, h.time);
  use_ten_a_second(10, Departure::kAtStart);
  EXPECT_EQ(admit({.departure = Duration{0}}).reason, RejectReason::kAdmitted);
  EXPECT_EQ(admit({.departure = Duration{kService - 1}}).reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(admit({.departure = Duration{kService}}).reason, RejectReason::kAdmitted);
}

TEST_F(WaitLimitsTest, AFullBucketIsFull) {
  use_ten_a_second(1);
  EXPECT_EQ(admit({}).reason, RejectReason::kAdmitted);
  EXPECT_EQ(admit({.start = Duration{0}}).reason, RejectReason::kFull);
  EXPECT_EQ(rejected(RejectReason::kFull), 1U);
  EXPECT_EQ(too_long(), 0U);
}

TEST_F(WaitLimitsTest, OfAPausedBucketNobodyKnowsTheWait) {
  BucketSettings settings;
  settings.capacity = 10;
  settings.units_per_second = 10;
  settings.rate_is_leased = true;
  use(settings);  // It is paused until it has a lease.
  for (const WaitLimits& limits :
       {WaitLimits{.start = Duration{0}}, WaitLimits{.departure = Duration{3'600'000'000'000}}}) {
    const Admission refused = admit(limits);
    EXPECT_EQ(refused.reason, RejectReason::kWaitTooLong);
    EXPECT_EQ(refused.wait, Admission::kUnknownWait);
    EXPECT_TRUE(refused.wait_is_estimate);
  }
  EXPECT_EQ(units(3, 0).admitted, 0U);
  EXPECT_EQ(units(3, 0, false, true).admission.wait, Admission::kUnknownWait);
  EXPECT_EQ(bucket().backlog.get(), 0U);
  EXPECT_EQ(too_long(), 5U);
  const Admission patient = admit({});
  EXPECT_EQ(patient.reason, RejectReason::kAdmitted);
  EXPECT_EQ(patient.wait, Admission::kUnknownWait);
}

TEST_F(WaitLimitsTest, AsManyUnitsAsNeedNotWaitForTooLong) {
  use_ten_a_second(100);
  const UnitsToAdmit some = units(10, 3 * kService);
  EXPECT_EQ(some.admitted, 4U);
  EXPECT_EQ(some.admission.reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(some.admission.position, 1U);
  EXPECT_EQ(too_long(), 6U);
  const UnitsToAdmit none = units(10, 3 * kService);
  EXPECT_EQ(none.admitted, 0U);
  EXPECT_EQ(none.admission.position, 0U);
  EXPECT_EQ(none.admission.wait.ns, 4 * kService);
  EXPECT_EQ(too_long(), 16U);
  EXPECT_EQ(units(3, 5 * kService, true).admitted, 0U);
  EXPECT_EQ(units(2, 5 * kService, true).admitted, 2U);
  EXPECT_EQ(bucket().backlog.get(), 6U);
}

TEST_F(WaitLimitsTest, ALookChangesAndCountsNothing) {
  use_ten_a_second(10);
  for (int i = 0; i < 7; ++i) admit({});
  const UnitsToAdmit look = units(5, WaitLimits::kNone.ns, false, true);
  EXPECT_EQ(look.admitted, 3U);
  EXPECT_EQ(look.admission.reason, RejectReason::kFull);
  EXPECT_EQ(look.admission.position, 8U);
  EXPECT_EQ(look.admission.wait.ns, 7 * kService);
  EXPECT_EQ(units(5, WaitLimits::kNone.ns, true, true).admitted, 0U);
  EXPECT_EQ(units(1, 6 * kService, false, true).admission.reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(bucket().backlog.get(), 7U);
  EXPECT_EQ(bucket().admitted.get(), 7U);
  for (const Counter& count : bucket().rejected) EXPECT_EQ(count.get(), 0U);
}

// What a look says comes true, and so does what the limits are compared with: the wait of each unit
// as if it were asked for by itself.
TEST_F(WaitLimitsTest, AsUnitsThatAreAskedForOneByOne) {
  test::Draw draw;
  for (int scenario = 0; scenario < 300; ++scenario) {
    BucketSettings settings;
    settings.capacity = static_cast<std::uint32_t>(draw.between(1, 60));
    if (draw.one_in(2)) settings.units_per_second = 1'000;
    if (settings.units_per_second == 0 || draw.one_in(2)) settings.bits_per_second = 1e6;
    if (draw.one_in(2)) settings.capacity_bytes = draw.between(1'000, 60'000);
    settings.departure = draw.one_in(2) ? Departure::kAtEnd : Departure::kAtStart;
    const auto bytes = static_cast<std::uint32_t>(draw.between(1, 1'500));
    const std::uint64_t before = draw.between(0, 10);
    const Duration pause{static_cast<std::int64_t>(draw.between(0, 5'000'000))};
    UnitsToAdmit together;
    together.count = static_cast<std::uint32_t>(draw.between(1, 80));
    together.wire_bytes = bytes;
    together.limits.start.ns = static_cast<std::int64_t>(draw.between(0, 60'000'000));
    if (draw.one_in(2)) {
      together.limits.departure.ns = static_cast<std::int64_t>(draw.between(0, 60'000'000));
    }
    std::uint32_t one_by_one = 0;
    for (const bool single : {true, false}) {
      use(settings);
      for (std::uint64_t i = 0; i < before; ++i) {
        (void)h.transmitter.admit_request(slot_, records_.emplace_back(), bytes, h.time);
      }
      h.run_for(pause, Duration{10'000});
      if (single) {
        while (one_by_one < together.count) {
          RequestRecord& record = records_.emplace_back();
          if (h.transmitter.admit_request(slot_, record, bytes, h.time, together.limits).reason !=
              RejectReason::kAdmitted) {
            break;
          }
          ++one_by_one;
        }
      } else {
        together.bucket.slot = slot_;
        together.peek = true;
        h.transmitter.admit_units(together, h.time);
        EXPECT_EQ(together.admitted, one_by_one) << "scenario " << scenario;
        together.peek = false;
        h.transmitter.admit_units(together, h.time);
        EXPECT_EQ(together.admitted, one_by_one) << "scenario " << scenario;
      }
      h.transmitter.remove(slot_, true, h.time);
      h.time = h.time + kMillisecond;
    }
  }
}

}  // namespace
}  // namespace drip::datapath
