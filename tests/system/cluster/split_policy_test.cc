// SPDX-License-Identifier: BSD-3-Clause
// What each failure policy does while Redis does not answer, kept by three real dripds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "split_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr double kRate = 200;
constexpr auto kAway = seconds(6);

struct Policy {
  v1::FailurePolicy policy;
  v1::PolicyState state;  // Soon after Redis is unreachable.
  v1::PolicyState later;  // When the lease is over, too.
  const char* in_the_log;
};
const std::map<std::string, Policy> kPolicies = {
    {"closed",
     {v1::FAILURE_POLICY_CLOSED, v1::POLICY_STATE_CLOSED, v1::POLICY_STATE_CLOSED,
      "bucket closed: leaks nothing (closed); Redis does not answer"}},
    {"safe",
     {v1::FAILURE_POLICY_SAFE_SHARE, v1::POLICY_STATE_SAFE_SHARE, v1::POLICY_STATE_SAFE_SHARE,
      "bucket safe: leaks its safe share; Redis does not answer"}},
    {"last",
     {v1::FAILURE_POLICY_LAST_SHARE, v1::POLICY_STATE_LAST_SHARE, v1::POLICY_STATE_CLOSED,
      "bucket last: leaks its last share, until the lease ends; Redis does not answer"}},
    {"open",
     {v1::FAILURE_POLICY_OPEN, v1::POLICY_STATE_OPEN, v1::POLICY_STATE_OPEN,
      "bucket open: leaks the full rate (open); Redis does not answer"}}};

bool all_are(const ClusterNodes& nodes, v1::PolicyState Policy::*state) {
  return std::ranges::all_of(nodes, [&](const auto& node) {
    return std::ranges::all_of(kPolicies, [&](const auto& entry) {
      return node->client().bucket(entry.first).policy_state() == entry.second.*state;
    });
  });
}

bool all_shared(const ClusterNodes& nodes) {
  return std::ranges::all_of(nodes, [&](const auto& node) {
    return std::ranges::all_of(kPolicies, [&](const auto& entry) {
      return node->client().bucket(entry.first).policy_state() == v1::POLICY_STATE_SHARED;
    });
  });
}

// Nobody knows when a bucket that leaks nothing will leak again.
void expect_limits_are_refused(Client& client, const std::string& id) {
  v1::AllowRequestRequest now;
  now.set_bucket_id(id);
  now.set_max_wait_ns(0);
  const v1::AllowRequestResponse refused = client.call(&Limiter::AllowRequest, now);
  EXPECT_FALSE(refused.allowed());
  EXPECT_EQ(refused.reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  EXPECT_EQ(refused.estimated_wait_ns(), std::int64_t{1} << 62);
  EXPECT_TRUE(refused.wait_is_estimate());
  v1::AwaitTurnRequest turn;  // The call itself has a deadline.
  turn.set_bucket_id(id);
  EXPECT_EQ(client.call(&Limiter::AwaitTurn, turn).reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
}

std::size_t times(const std::string& text, const std::string& log) {
  std::size_t count = 0;
  for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
    ++count;
  }
  return count;
}

// Whether Redis stands still or is dead makes no difference to a node.
class SplitPolicy : public testing::TestWithParam<bool> {};

TEST_P(SplitPolicy, IsKeptWhileRedisIsAwayAndNothingIsReplayed) {
  const bool dead = GetParam();
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  std::map<std::string, std::unique_ptr<DepartureSink>> sinks;
  for (const auto& [id, policy] : kPolicies) {
    set_split_bucket(nodes, *nodes[0], split_bucket(id, kRate, policy.policy));
    sinks[id] = std::make_unique<DepartureSink>(id);
    for (const auto& node : nodes) sinks[id]->feed(*node, 50);
  }
  for (const auto& [id, sink] : sinks) {
    wait_until("the rate is reached: " + id, [&sink = *sink] {
      const double rate = departures_a_second(sink, milliseconds(500));
      return rate > 0.9 * kRate && rate < 1.05 * kRate;
    });
  }
  const auto begin = SinkClock::now();
  std::map<std::string, std::map<std::string, std::uint64_t>> changes;
  std::map<std::string, std::size_t> logged;
  for (const auto& node : nodes) {
    for (const auto& [id, policy] : kPolicies) {
      changes[node->id()][id] = node->client().bucket(id).policy_changes();
    }
    // What a stall of the machine may have led to before is not looked at.
    logged[node->id()] = node->process().log().size();
  }

  if (dead) {
    redis.kill();
  } else {
    redis.pause();
  }
  const auto away = SinkClock::now();
  // LAST_SHARE's state is a passing one, so it is looked for by itself.
  wait_until("the policies are applied", [&] {
    return std::ranges::all_of(nodes, [](const auto& node) {
      return node->client().bucket("closed").policy_state() == v1::POLICY_STATE_CLOSED &&
             node->client().bucket("open").policy_state() == v1::POLICY_STATE_OPEN;
    });
  });
  wait_until("the leases are over", [&] { return all_are(nodes, &Policy::later); });
  for (const auto& node : nodes) expect_limits_are_refused(node->client(), "closed");
  const auto over = SinkClock::now();
  std::this_thread::sleep_until(away + kAway);
  const auto end = SinkClock::now();
  const double span = std::chrono::duration<double>(end - over).count();

  // What a poll and a call may take, after which it holds.
  const auto slack = kDecideWithin + milliseconds(400);
  EXPECT_EQ(sinks["closed"]->count_certain(away + slack, end), 0U);
  EXPECT_EQ(sinks["last"]->count_certain(over + slack, end), 0U);
  EXPECT_LE(certain_excess(sinks["last"]->departures(), kRate, begin, end),
            allowed_excess(kRate, 3));
  EXPECT_GT(sinks["last"]->count(away, over), 0.5 * kRate) << "until the lease ended";
  EXPECT_LE(certain_excess(sinks["safe"]->departures(), kRate / 10, away + slack, end),
            allowed_excess(kRate / 10, 3));
  EXPECT_GT(static_cast<double>(sinks["safe"]->count(over, end)), 0.7 * span * kRate / 10);
  EXPECT_LE(certain_excess(sinks["open"]->departures(), 3 * kRate, begin, end),
            allowed_excess(3 * kRate, 3));
  EXPECT_GT(static_cast<double>(sinks["open"]->count(over, end)), 0.7 * span * 3 * kRate);

  if (dead) {
    redis.start();
  } else {
    redis.resume();
  }
  const auto back = SinkClock::now();
  wait_until("shares by lease again", [&] { return all_shared(nodes); });
  for (const auto& [id, sink] : sinks) {
    wait_until("the rate departs again: " + id, [&sink = *sink] {
      const double rate = departures_a_second(sink, milliseconds(500));
      return rate > 0.9 * kRate && rate < 1.05 * kRate;
    });
  }
  const auto steady = SinkClock::now();
  std::this_thread::sleep_for(seconds(1));
  for (const auto& [id, sink] : sinks) {
    sink->stop();
    // What was not leaked meanwhile is lost: no burst makes up for it. An open bucket may
    // run on by itself until it has heard of Redis again.
    expect_within_rate(*sink, kRate, 3, id == "open" ? steady : id == "safe" ? begin : back);
    EXPECT_TRUE(sink->failures().empty()) << sink->failures().front().status.error_message();
  }
  for (const auto& node : nodes) {
    const std::string log = node->process().log().substr(logged[node->id()]);
    for (const auto& [id, policy] : kPolicies) {
      expect_nothing_lost(*node, id);
      EXPECT_EQ(times(policy.in_the_log, log), 1U) << node->id() << ": " << log;
      EXPECT_EQ(times("bucket " + id + ": leaks its share of the rate", log), 1U)
          << node->id() << ": " << log;
      // There, and back; LAST_SHARE goes by way of CLOSED.
      EXPECT_EQ(node->client().bucket(id).policy_changes() - changes[node->id()][id],
                id == "last" ? 3U : 2U)
          << node->id() << ", " << id;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Redis, SplitPolicy, testing::Bool(),
                         [](const auto& run) { return run.param ? "Killed" : "StandsStill"; });

}  // namespace
}  // namespace drip
