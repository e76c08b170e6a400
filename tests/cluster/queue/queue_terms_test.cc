// SPDX-License-Identifier: BSD-3-Clause
// The exact bucket's script on a real Redis, at times that the test gives: limits of the wait,
// looks, and ids that are remembered.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "cluster/queue/queue_calls.h"
#include "cluster/redis/redis_link.h"
#include "libdrip/drawn_seed.h"
#include "support/redis_server.h"

namespace drip::cluster {
namespace {

using control::AdmitTerms;
using control::SharedTicket;

constexpr std::int64_t kMs = 1'000'000;

class QueueTerms : public testing::Test {
 protected:
  static RedisOptions options(const RedisServer& redis) {
    RedisOptions result;
    result.url = *parse_redis_url(redis.url());
    return result;
  }
  RedisReply run(ScriptCall call) {
    call.arguments.push_back(std::to_string(now_us_));
    const auto reply = link_.scripts(std::span(&call, 1));
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (!reply.ok()) return {};
    EXPECT_TRUE(status_of(reply->front()).ok()) << status_of(reply->front());
    return reply->front();
  }
  std::vector<SharedTicket> admit(const QueueBucket& bucket, std::vector<QueueUnits> units) {
    auto tickets = tickets_of(run(calls_.admit(bucket, units, 0)));
    EXPECT_TRUE(tickets.ok()) << tickets.status();
    return tickets.ok() ? *tickets : std::vector<SharedTicket>(units.size());
  }
  SharedTicket admit_one(const QueueBucket& bucket, const std::string& id,
                         const AdmitTerms& terms = {}) {
    return admit(bucket, {{id, 1, false, terms}}).front();
  }
  BucketStats read(const QueueBucket& bucket) {
    const auto reading = stats_of(run(calls_.read(bucket)), bucket);
    EXPECT_TRUE(reading.ok()) << reading.status();
    return reading->stats;
  }
  std::uint64_t too_long(const QueueBucket& bucket) {
    return read(bucket).rejected[static_cast<std::size_t>(RejectReason::kWaitTooLong)];
  }
  static QueueBucket bucket(double rate, std::uint32_t capacity,
                            Departure departure = Departure::kAtEnd) {
    return {"b",
            {.capacity = capacity, .units_per_second = rate, .departure = departure},
            1,
            Duration{50 * kMs}};
  }
  static AdmitTerms starts_within(std::int64_t ns) { return {.limits = {.start = Duration{ns}}}; }
  static AdmitTerms leaves_within(std::int64_t ns) {
    return {.limits = {.departure = Duration{ns}}};
  }
  static AdmitTerms remembered(std::int64_t ns) { return {.remember = Duration{ns}}; }

  RedisServer redis_;
  RedisLink link_{options(redis_)};
  QueueCalls calls_{"drip:{t}:", queue_script_at_given_time()};
  std::uint64_t now_us_ = 1'790'000'000'000'000;
};

TEST_F(QueueTerms, OneThatWouldWaitForTooLongIsNotCharged) {
  const QueueBucket b = bucket(10, 10);
  EXPECT_EQ(admit_one(b, "a", starts_within(0)).position, 1U);
  EXPECT_EQ(admit_one(b, "b", leaves_within(200 * kMs)).position, 2U);
  const SharedTicket refused = admit_one(b, "c", starts_within(199 * kMs));
  EXPECT_EQ(refused.reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(refused.position, 0U);
  EXPECT_EQ(refused.wait.ns, 200 * kMs);
  EXPECT_EQ(admit_one(b, "c", leaves_within(299 * kMs)).reason, RejectReason::kWaitTooLong);
  EXPECT_TRUE(admit_one(b, "a", starts_within(0)).duplicate) << "it waits already";
  EXPECT_EQ(read(b).admitted, 2U);
  EXPECT_EQ(too_long(b), 2U);
  EXPECT_EQ(read(b).rejected[static_cast<std::size_t>(RejectReason::kFull)], 0U);
  QueueBucket start = bucket(10, 10, Departure::kAtStart);
  start.id = "start";
  EXPECT_EQ(admit_one(start, "a", leaves_within(0)).reason, RejectReason::kAdmitted);
  EXPECT_EQ(admit_one(start, "b", leaves_within(99 * kMs)).reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(admit_one(start, "b", leaves_within(100 * kMs)).reason, RejectReason::kAdmitted);
}

TEST_F(QueueTerms, UnitsAndLooksAreAsUnitsAskedForOneByOne) {
  test::Draw draw;
  for (int scenario = 0; scenario < 60; ++scenario) {
    SCOPED_TRACE(testing::Message() << "scenario " << scenario);
    QueueBucket one = bucket(static_cast<double>(draw.of_any_size(1, 10'000)),
                             static_cast<std::uint32_t>(draw.between(1, 40)),
                             draw.one_in(2) ? Departure::kAtEnd : Departure::kAtStart);
    const auto period = static_cast<std::uint64_t>(1e6 / one.settings.units_per_second) + 1;
    QueueBucket two = one;
    one.id = "one" + std::to_string(scenario);
    two.id = "two" + std::to_string(scenario);
    if (const auto before = static_cast<std::uint32_t>(draw.between(0, 20)); before > 0) {
      for (const QueueBucket& b : {one, two}) admit(b, {{"", before, false}});
    }
    now_us_ += draw.between(0, 10 * period);
    const auto count = static_cast<std::uint32_t>(draw.between(1, 40));
    AdmitTerms terms =
        starts_within(static_cast<std::int64_t>(draw.between(0, 40 * period) * 1000));
    if (draw.one_in(2)) {
      terms.limits.departure.ns = static_cast<std::int64_t>(draw.between(0, 40 * period) * 1000);
    }
    std::uint32_t fit = 0;
    RejectReason reason = RejectReason::kAdmitted;
    std::vector<SharedTicket> singles;
    for (; fit < count && reason == RejectReason::kAdmitted; ++fit) {
      singles.push_back(admit_one(one, "", terms));
      reason = singles.back().reason;
    }
    if (reason != RejectReason::kAdmitted) --fit;
    AdmitTerms look = terms;
    look.peek = true;
    const BucketStats before = read(two);
    for (const bool all : {false, true}) {
      const SharedTicket ticket = admit(two, {{"", count, all, look}}).front();
      ASSERT_EQ(ticket.admitted, all && fit < count ? 0 : fit);
      if (!all) {
        ASSERT_EQ(ticket.reason, reason);
      }
    }
    ASSERT_EQ(read(two).admitted, before.admitted);
    ASSERT_EQ(read(two).rejected, before.rejected);
    const SharedTicket ticket = admit(two, {{"", count, false, terms}}).front();
    ASSERT_EQ(ticket.admitted, fit);
    ASSERT_EQ(ticket.reason, reason);
    ASSERT_EQ(ticket.position, singles.front().position);
    ASSERT_EQ(ticket.wait.ns, singles.front().wait.ns);
    ASSERT_EQ(read(two).backlog, read(one).backlog);
  }
}

TEST_F(QueueTerms, AnIdIsKnownForItsTimeAfterItHasLeft) {
  const QueueBucket b = bucket(10, 100);
  admit(b, {{"a", 1, false, remembered(1'000 * kMs)},
            {"", 2, false},
            {"b", 1, false, remembered(2'000 * kMs)},
            {"plain", 1, false}});
  now_us_ += 600'000;  // a left at 100 ms, b at 400.
  const SharedTicket again = admit_one(b, "a");
  EXPECT_TRUE(again.duplicate);
  EXPECT_TRUE(again.has_left);
  EXPECT_EQ(again.reason, RejectReason::kAdmitted);
  EXPECT_EQ(again.position, 0U);
  EXPECT_FALSE(admit_one(b, "plain").duplicate);
  EXPECT_EQ(read(b).admitted, 6U);
  now_us_ += 499'999;
  EXPECT_TRUE(admit_one(b, "a").has_left);
  now_us_ += 1;
  EXPECT_FALSE(admit_one(b, "a").duplicate);
  EXPECT_TRUE(admit_one(b, "a").duplicate);
  EXPECT_TRUE(admit_one(b, "b").has_left);
}

TEST_F(QueueTerms, OnlyWhatLeftInItsTurnIsRemembered) {
  const QueueBucket b = bucket(10, 100);
  const SharedTicket ticket = admit_one(b, "r", remembered(10'000 * kMs));
  const auto page = page_of(run(calls_.list(b, 0, 10)));
  ASSERT_EQ(page->entries.size(), 1U);
  EXPECT_EQ(page->entries.front().since_arrival.ns, 0);
  EXPECT_TRUE(status_of_request(run(calls_.release(b, "r", ticket.key))).ok());
  EXPECT_FALSE(admit_one(b, "r").duplicate);
  AdmitTerms look = remembered(10'000 * kMs);
  look.peek = true;
  EXPECT_EQ(admit_one(b, "looks", look).position, 2U);
  now_us_ += 1'000'000;
  EXPECT_FALSE(admit_one(b, "r").duplicate);
  EXPECT_FALSE(admit_one(b, "looks").duplicate);
}

TEST_F(QueueTerms, SoManyAreRememberedAndNoMore) {
  const QueueBucket b = bucket(10, 100);
  const SharedTicket ticket = admit_one(b, "last", remembered(3'600'000 * kMs));
  // As many as there may be, of which f1 is to be forgotten first.
  const RedisScript fill(
      "for i = ARGV[1] + 1, ARGV[1] + 2000 do redis.call('ZADD', KEYS[1], ARGV[2] + i, 'f' .. i) "
      "end "
      "return 1");
  for (int first = 0; first < 100'000; first += 2'000) {
    ScriptCall call;
    call.script = &fill;
    call.keys = {joined("drip:{t}:exact:b:", ticket.key.instance, ":left")};
    call.arguments = {joined(first), joined(now_us_ + 1'000'000'000)};
    run(call);
  }
  EXPECT_TRUE(admit_one(b, "f1").has_left);
  now_us_ += 200'000;
  EXPECT_EQ(read(b).departed, 1U);
  EXPECT_FALSE(admit_one(b, "f1").duplicate);
  EXPECT_TRUE(admit_one(b, "f2").has_left);
  EXPECT_TRUE(admit_one(b, "last").has_left);
}

}  // namespace
}  // namespace drip::cluster
