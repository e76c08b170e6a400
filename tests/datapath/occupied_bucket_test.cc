// SPDX-License-Identifier: BSD-3-Clause
// A bucket that continues where an earlier process has left off: as busy, as full, as late.
#include <gtest/gtest.h>

#include "one_bucket.h"

namespace drip::datapath {
namespace {

constexpr Duration kBusy{950'000'000};

class OccupiedBucket : public OneBucket {
 protected:
  // Ten units a second.
  void use_occupied(std::uint32_t capacity, Departure departure, Duration busy = kBusy) {
    BucketSettings settings;
    settings.capacity = capacity;
    settings.units_per_second = 10;
    settings.departure = departure;
    use(settings);
    h.transmitter.occupy(slot_, busy, h.time);
  }
  // What a unit that came now would get.
  Admission look() {
    UnitsToAdmit units;
    units.bucket.slot = slot_;
    units.peek = true;
    h.transmitter.admit_units(units, h.time);
    return units.admission;
  }
  std::uint64_t departed_after(std::int64_t milliseconds) {
    h.run_for(Duration{milliseconds * kMillisecond.ns} - (h.time - start_), kMillisecond);
    return bucket().departed.get();
  }

  TimePoint start_ = h.time;
};

TEST_F(OccupiedBucket, AtTheEndOfServiceTheFirstIsServedForWhatIsLeft) {
  use_occupied(40, Departure::kAtEnd);
  EXPECT_EQ(bucket().backlog.get(), 10U);
  EXPECT_EQ(look().position, 11U);
  EXPECT_EQ(look().wait.ns, kBusy.ns);
  EXPECT_EQ(departed_after(45), 0U);
  EXPECT_EQ(departed_after(55), 1U);
  EXPECT_EQ(departed_after(145), 1U);
  EXPECT_EQ(departed_after(945), 9U);
  EXPECT_EQ(departed_after(955), 10U);
}

TEST_F(OccupiedBucket, AtTheStartOfServiceOneIsServedAlready) {
  use_occupied(40, Departure::kAtStart);
  EXPECT_EQ(bucket().backlog.get(), 9U);
  EXPECT_EQ(look().position, 11U);
  EXPECT_EQ(look().wait.ns, kBusy.ns);
  EXPECT_EQ(departed_after(45), 0U);
  EXPECT_EQ(departed_after(55), 1U);
  EXPECT_EQ(departed_after(855), 9U);
}

TEST_F(OccupiedBucket, ABucketOfOneUnitIsFullUntilItIsFree) {
  use_occupied(1, Departure::kAtStart);
  EXPECT_EQ(look().reason, RejectReason::kFull);
  EXPECT_EQ(departed_after(940), 0U);
  EXPECT_EQ(look().reason, RejectReason::kFull);
  (void)departed_after(955);
  EXPECT_EQ(look().reason, RejectReason::kAdmitted);
  EXPECT_EQ(look().wait.ns, 0);
}

// What does not fit takes its time all the same.
TEST_F(OccupiedBucket, ASmallerBucketIsBusyForAsLong) {
  use_occupied(3, Departure::kAtEnd);
  EXPECT_EQ(bucket().backlog.get(), 3U);
  EXPECT_EQ(look().reason, RejectReason::kFull);
  EXPECT_EQ(departed_after(745), 0U);
  EXPECT_EQ(departed_after(755), 1U);
  EXPECT_EQ(departed_after(955), 3U);
}

TEST_F(OccupiedBucket, ABucketOfBytesIsBusyForAsLong) {
  use(bits(100, 1.2e6, Departure::kAtEnd));  // A unit of 1500 bytes takes 10 ms.
  h.transmitter.occupy(slot_, Duration{45'000'000}, h.time);
  EXPECT_EQ(bucket().backlog.get(), 5U);
  EXPECT_NEAR(static_cast<double>(look().wait.ns), 45e6, 10);  // Services are rounded to ns.
  EXPECT_EQ(departed_after(4), 0U);
  EXPECT_EQ(departed_after(6), 1U);
  EXPECT_EQ(departed_after(46), 5U);
}

TEST_F(OccupiedBucket, ForNoTimeAtAllItIsFree) {
  use_occupied(3, Departure::kAtEnd, Duration{});
  EXPECT_EQ(bucket().backlog.get(), 0U);
  EXPECT_EQ(look().wait.ns, 0);
}

}  // namespace
}  // namespace drip::datapath
