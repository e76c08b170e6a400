// SPDX-License-Identifier: BSD-3-Clause
// Ids of requests that have left: known for their time, within the bound, and answered.
#include "control/requests/remembered_ids.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "control/requests/local_queue.h"
#include "control/support/fake_engine.h"

namespace drip::control {
namespace {

constexpr Duration kSecond{1'000'000'000};

TimePoint at(std::int64_t seconds) { return TimePoint{} + Duration{seconds * kSecond.ns}; }

TEST(RememberedIds, KnowsEachForItsTime) {
  RememberedIds ids(10);
  const std::uint64_t one = ids.new_queue();
  const std::uint64_t two = ids.new_queue();
  ids.add(one, "a", at(20), at(10));
  ids.add(one, "b", at(15), at(10));
  EXPECT_TRUE(ids.has(one, "a", at(12)));
  EXPECT_FALSE(ids.has(two, "a", at(12)));
  EXPECT_TRUE(ids.has(one, "b", at(14)));
  EXPECT_FALSE(ids.has(one, "b", at(15)));
  EXPECT_EQ(ids.size(), 1U);
  ids.expire(at(20));
  EXPECT_EQ(ids.size(), 0U);
  EXPECT_EQ(ids.forgotten(), 0U);
  ids.add(one, "c", at(20), at(20));  // Its time is over already.
  EXPECT_EQ(ids.size(), 0U);
}

TEST(RememberedIds, ForgetsTheOldestFirstAndCountsThem) {
  RememberedIds ids(3);
  const std::uint64_t queue = ids.new_queue();
  for (const char* id : {"a", "b", "c", "a", "d"}) ids.add(queue, id, at(100), at(1));
  EXPECT_FALSE(ids.has(queue, "b", at(2)));
  for (const char* id : {"c", "a", "d"}) EXPECT_TRUE(ids.has(queue, id, at(2))) << id;
  EXPECT_EQ(ids.size(), 3U);
  EXPECT_EQ(ids.forgotten(), 1U);
  RememberedIds none(0);
  none.add(queue, "a", at(100), at(1));
  EXPECT_FALSE(none.has(queue, "a", at(2)));
}

class RememberTest : public testing::Test {
 protected:
  RememberTest() {
    BucketChange change{std::nullopt, {.capacity = 1'000, .units_per_second = 100}};
    EXPECT_TRUE(engine_.apply(std::span(&change, 1)).ok());
    ref_ = *change.ref;
    queue_ = std::make_shared<LocalQueue>(engine_, pool_, ref_);
  }
  ~RememberTest() override { (void)engine_.drain_and_stop({}); }
  Ticket admit(const std::string& id, Duration remember) {
    return queue_->admit(id, 0, Departure::kAtEnd, {.remember = remember})->ticket;
  }

  FakeEngine engine_;
  RequestPool pool_{2'000, 500};
  BucketRef ref_;
  std::shared_ptr<LocalQueue> queue_;
};

TEST_F(RememberTest, ARetryOfOneThatHasLeftIsNotCharged) {
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i) {
      const Ticket ticket = admit(joined("r", i), kSecond);
      EXPECT_EQ(ticket.duplicate, round == 1);
      EXPECT_EQ(ticket.has_left, round == 1 && i < 100) << i;
      EXPECT_EQ(ticket.admission.reason, RejectReason::kAdmitted);
      EXPECT_EQ(ticket.request_id, joined("r", i));
    }
    EXPECT_EQ(engine_.read(ref_).admitted, 300U);
    engine_.advance(kSecond);
  }
  // The first hundred left a second ago.
  EXPECT_FALSE(admit("r0", kSecond).duplicate);
  EXPECT_TRUE(admit("r150", kSecond).has_left);
  EXPECT_EQ(pool_.remembered().forgotten(), 0U);
}

TEST_F(RememberTest, OnlyWhatLeftInItsTurnIsRemembered) {
  const auto released = queue_->admit("r", 0, Departure::kAtEnd, {.remember = kSecond});
  queue_->release(*released->request);
  EXPECT_FALSE(admit("r", kSecond).duplicate);
  EXPECT_EQ(admit("plain", {}).duplicate, false);
  engine_.advance(kSecond);
  pool_.sweep();
  EXPECT_FALSE(admit("plain", {}).duplicate);
  EXPECT_TRUE(admit("r", {}).has_left) << "by the terms that it came with";
}

TEST_F(RememberTest, MemoryIsBounded) {
  for (int i = 0; i < 800; ++i) (void)admit(joined("r", i), Duration{100 * kSecond.ns});
  engine_.advance(Duration{10 * kSecond.ns});
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 0U);
  EXPECT_EQ(pool_.remembered().size(), 500U);
  EXPECT_EQ(pool_.remembered().forgotten(), 300U);
  EXPECT_FALSE(admit("r299", {}).duplicate);
  EXPECT_TRUE(admit("r300", {}).has_left);
}

TEST_F(RememberTest, ALookAdmitsNothing) {
  (void)admit("waits", {});
  const AdmitTerms look{.peek = true};
  EXPECT_TRUE(queue_->peek("waits", 0, Departure::kAtEnd, look).duplicate);
  const Ticket ticket = queue_->peek("new", 0, Departure::kAtEnd, look);
  EXPECT_FALSE(ticket.duplicate);
  EXPECT_EQ(ticket.admission.position, 2U);
  EXPECT_EQ(ticket.admission.wait.ns, 10'000'000);
  AdmitTerms short_wait = look;
  short_wait.limits.start = Duration{1};
  EXPECT_EQ(queue_->peek("new", 0, Departure::kAtEnd, short_wait).admission.reason,
            RejectReason::kWaitTooLong);
  EXPECT_EQ(engine_.read(ref_).admitted, 1U);
  EXPECT_FALSE(admit("new", {}).duplicate);
}

}  // namespace
}  // namespace drip::control
