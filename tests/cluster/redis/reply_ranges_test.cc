// SPDX-License-Identifier: BSD-3-Clause
// Replies of the right form whose numbers no script of Drip gives: they are refused, or bounded,
// before anything is computed from them.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "cluster/config/config_store.h"
#include "cluster/config/stored_form.h"
#include "cluster/membership/heartbeat_view.h"
#include "cluster/queue/queue_calls.h"
#include "cluster/queue/queue_clock.h"

namespace drip::cluster {
namespace {

constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

RedisReply text(std::string value) { return {std::move(value)}; }
RedisReply number(std::int64_t value) { return {value}; }
RedisReply list(RedisReply::Array values) { return {std::move(values)}; }

// Of one ticket: admitted, what else, sequence, position, and two waits in microseconds.
RedisReply tickets(const std::vector<std::string>& numbers) {
  RedisReply::Array words = {text("tickets"), text("instance")};
  for (const std::string& each : numbers) words.push_back(text(each));
  return list(std::move(words));
}

TEST(ReplyRanges, AWaitOfATicketIsASpan) {
  const auto good = tickets_of(tickets({"1", "0", "7", "1", "1000", "2000"}));
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->front().wait, Duration{1'000'000});
  const auto endless = tickets_of(tickets({"1", "0", "7", "1", "9223372036854775807", "2000"}));
  ASSERT_TRUE(endless.ok()) << endless.status();
  EXPECT_EQ(endless->front().wait, Duration{std::int64_t{1} << 62});
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {"1", "0", "7", "1", "-1", "2000"},
           {"1", "0", "7", "1", "1000", "-9223372036854775808"},
           {"-1", "0", "7", "1", "1000", "2000"},
           {"1", "0", "-7", "1", "1000", "2000"},
           {"1", "0", "7", "9007199254740993", "1000", "2000"},
       }) {
    EXPECT_TRUE(absl::IsInternal(tickets_of(tickets(wrong)).status())) << wrong[0];
  }
}

TEST(ReplyRanges, WhatAQueueCountsIsNotNegative) {
  const RedisReply read = list({text("read"), text("1"), text("2"), text("3"), text("4"),
                                text("-5"), text("6"), text("7"), text("8")});
  control::SharedBuckets::Bucket bucket;
  bucket.settings.units_per_second = 10;
  EXPECT_TRUE(absl::IsInternal(stats_of(read, bucket).status()));
  EXPECT_TRUE(
      absl::IsInternal(removal_of(list({text("removed"), text("-1"), text("0")})).status()));
  EXPECT_TRUE(absl::IsInternal(status_of_request(list({text("waits"), text("-1")})).status()));
}

TEST(ReplyRanges, TheQueuesTimeIsNoLaterThanLuaCanTell) {
  const NodeTime now{1'000'000'000'000, 1'700'000'000'000'000};
  for (const std::int64_t wrong : {std::int64_t{-1}, kLeast, kMost}) {
    for (const bool is_queues : {true, false}) {
      QueueClock clock("p:");
      (void)clock.call(now);
      const RedisReply reply = list({text("id"), number(is_queues ? wrong : now.wall_us),
                                     number(is_queues ? now.wall_us : wrong)});
      EXPECT_TRUE(absl::IsInternal(clock.on_reply(reply, now))) << wrong;
    }
  }
}

RedisReply head(std::int64_t revision) {
  return list({text("dataset"), number(revision), text("change"), number(1), number(-1)});
}
RedisReply heartbeat(std::int64_t now_ms, std::int64_t epoch, std::int64_t lease_left,
                     std::int64_t silent) {
  const RedisReply member =
      list({text("n1"), text("i"), number(silent), number(700), text("up"), text("")});
  return list({number(now_ms), number(epoch), text("n1"), text("i"), number(lease_left), head(7),
               list({member})});
}

TEST(ReplyRanges, AHeartbeatsTimesCanBeAddedUp) {
  const Deadline sent{std::chrono::hours(1)};
  constexpr std::int64_t kNow = 1'700'000'000'000;
  const auto good = read_heartbeat(heartbeat(kNow, 3, -kNow, -10), sent);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_LT(good->sent + good->lease_left, sent);
  for (const std::int64_t wrong : {kLeast, kMost}) {
    EXPECT_FALSE(read_heartbeat(heartbeat(wrong, 3, 700, 10), sent).ok()) << wrong;
    EXPECT_FALSE(read_heartbeat(heartbeat(kNow, wrong, 700, 10), sent).ok()) << wrong;
    EXPECT_FALSE(read_heartbeat(heartbeat(kNow, 3, wrong, 10), sent).ok()) << wrong;
    EXPECT_FALSE(read_heartbeat(heartbeat(kNow, 3, 700, wrong), sent).ok()) << wrong;
  }
}

TEST(ReplyRanges, ARevisionIsNotNegative) {
  EXPECT_TRUE(ConfigStore::page_of(list({head(7), list({})})).ok());
  EXPECT_FALSE(ConfigStore::page_of(list({head(-7), list({})})).ok());
}

TEST(ReplyRanges, ABucketHasANameThatBucketsHave) {
  StoredBucket bucket;
  bucket.settings.units_per_second = 10;
  bucket.settings.capacity = 5;
  const auto whole = [&](const std::string& id) {
    return ConfigStore::whole_of(list({head(7), text(encode(control::RuleSetSpec{})), number(1),
                                       list({}), list({text(id), text(encode("a", bucket))})}));
  };
  EXPECT_TRUE(whole("a").ok()) << whole("a").status();
  EXPECT_FALSE(whole("!").ok());
  EXPECT_FALSE(whole("").ok());
}

}  // namespace
}  // namespace drip::cluster
