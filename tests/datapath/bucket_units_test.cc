// SPDX-License-Identifier: BSD-3-Clause
// Units without a name: many at once, as many as find room, or all or none.
#include <gtest/gtest.h>

#include "one_bucket.h"

namespace drip::datapath {
namespace {

BucketSettings ten_a_second(std::uint32_t capacity) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.units_per_second = 10;
  return settings;
}

class UnitsWithoutAName : public OneBucket {
 protected:
  UnitsToAdmit admit(std::uint32_t count, bool all_or_none = false, std::uint32_t bytes = 0) {
    UnitsToAdmit units;
    units.bucket.slot = slot_;
    units.count = count;
    units.wire_bytes = bytes;
    units.all_or_none = all_or_none;
    h.transmitter.admit_units(units, h.time);
    return units;
  }
};

TEST_F(UnitsWithoutAName, AsManyAsFindRoom) {
  use(ten_a_second(40));
  const UnitsToAdmit first = admit(30);
  EXPECT_EQ(first.admitted, 30U);
  EXPECT_EQ(first.admission.reason, RejectReason::kAdmitted);
  EXPECT_EQ(first.admission.position, 1U);
  EXPECT_EQ(first.admission.wait.ns, 0);
  const UnitsToAdmit second = admit(30);
  EXPECT_EQ(second.admitted, 10U);
  EXPECT_EQ(second.admission.reason, RejectReason::kFull);
  EXPECT_EQ(second.admission.position, 31U);
  EXPECT_EQ(second.admission.wait.ns, 3'000'000'000);
  const UnitsToAdmit third = admit(2);
  EXPECT_EQ(third.admitted, 0U);
  EXPECT_EQ(third.admission.position, 0U);
  EXPECT_EQ(rejected(RejectReason::kFull), 22U);
  h.run_for(Duration{2'050'000'000}, kMillisecond);
  EXPECT_EQ(bucket().departed.get(), 20U);
}

TEST_F(UnitsWithoutAName, AllOrNone) {
  use(ten_a_second(40));
  EXPECT_EQ(admit(30, true).admitted, 30U);
  const UnitsToAdmit none = admit(11, true);
  EXPECT_EQ(none.admitted, 0U);
  EXPECT_EQ(none.admission.reason, RejectReason::kFull);
  EXPECT_EQ(rejected(RejectReason::kFull), 11U);
  EXPECT_EQ(bucket().backlog.get(), 30U);
  EXPECT_EQ(admit(10, true).admitted, 10U);
}

TEST_F(UnitsWithoutAName, AllOrNoneByBytes) {
  BucketSettings settings = bits(100, 8e6);
  settings.capacity_bytes = 1000;
  use(settings);
  const UnitsToAdmit none = admit(11, true, 100);
  EXPECT_EQ(none.admitted, 0U);
  EXPECT_EQ(none.admission.reason, RejectReason::kFullBytes);
  EXPECT_EQ(rejected(RejectReason::kFullBytes), 11U);
  EXPECT_EQ(admit(10, true, 100).admitted, 10U);
  h.run_for(Duration{2'000'000}, Duration{1000});
  EXPECT_EQ(bucket().departed_bytes.get(), 1000U);
}

TEST_F(UnitsWithoutAName, AreDroppedWithTheirBucket) {
  use(ten_a_second(40));
  EXPECT_EQ(admit(3).admitted, 3U);
  EXPECT_EQ(h.transmitter.remove(slot_, true, h.time).dropped, 3U);
  EXPECT_EQ(admit(1, true).admission.reason, RejectReason::kDraining);
}

}  // namespace
}  // namespace drip::datapath
