// SPDX-License-Identifier: BSD-3-Clause
// The time of shared queues while Redis's clock is set, servers change and nodes come and go: the
// scripts on a real Redis, in virtual time.
#include "cluster/queue/queue_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "../redis_options.h"
#include "cluster/queue/queue_calls.h"
#include "cluster/redis/redis_link.h"
#include "support/redis_server.h"

namespace drip::cluster {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kSecond = 1000 * kMs;
constexpr std::int64_t kWallUs = 1'790'000'000'000'000;

// True time in ns from 0 on; Redis's wall clock is off it by `redis_off_us`.
class QueueTime : public testing::Test {
 protected:
  static constexpr double kRate = 1000;
  static constexpr std::uint32_t kUnits = 150'000;

  RedisReply run(ScriptCall call) {
    call.arguments.push_back(std::to_string(kWallUs + now_ns_ / 1000 + redis_off_us_));
    const auto reply = link_.scripts(std::span(&call, 1));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? reply->front() : RedisReply{};
  }
  RedisReply command(RedisCommand words) {
    const auto replies = link_.pipeline(std::span(&words, 1));
    EXPECT_TRUE(replies.ok()) << replies.status();
    return replies.ok() ? replies->front() : RedisReply{};
  }
  static QueueClock new_clock() {
    return QueueClock("drip:{t}:", queue_clock_script_at_given_time());
  }
  // A node whose clocks are exact.
  NodeTime exact() const { return {now_ns_, kWallUs + now_ns_ / 1000}; }
  // Call and reply at once.
  void ask(QueueClock& clock, const NodeTime& now) {
    const RedisReply reply = run(clock.call(now));
    EXPECT_TRUE(clock.on_reply(reply, now).ok());
  }
  void ask(QueueClock& clock) { ask(clock, exact()); }

  void fill() {
    for (std::uint32_t filled = 0; filled < kUnits; filled += 2000) {
      const QueueUnits units{"", 2000, true};
      EXPECT_TRUE(tickets_of(run(calls_.admit(bucket_, std::span(&units, 1), 0))).ok());
    }
  }
  double departed() {
    const auto stats = stats_of(run(calls_.read(bucket_)), bucket_);
    EXPECT_TRUE(stats.ok()) << stats.status();
    return stats.ok() ? static_cast<double>(stats->stats.departed) : 0;
  }

  using Contents = std::map<std::string, std::string>;
  Contents contents() {
    Contents result;
    const RedisReply keys = command({"KEYS", "*"});
    for (const RedisReply& key : *keys.array()) {
      result[*key.text()] = *command({"DUMP", *key.text()}).text();
    }
    return result;
  }
  void restore(const Contents& contents) {
    command({"FLUSHALL"});
    for (const auto& [key, value] : contents) command({"RESTORE", key, "0", value});
  }

  static RedisOptions patient(RedisOptions options) {
    options.command_timeout = std::chrono::seconds(30);
    return options;
  }

  RedisServer redis_;
  RedisLink link_{patient(options_of(redis_.url()))};
  QueueCalls calls_{"drip:{t}:", queue_script_at_given_redis_time()};
  const QueueBucket bucket_{
      "b", {.capacity = kUnits, .units_per_second = kRate}, 1, Duration{50 * kMs}};
  std::int64_t now_ns_ = 0;
  std::int64_t redis_off_us_ = 0;
};

TEST_F(QueueTime, AStepOfRedissClockNeitherReleasesNorHoldsBack) {
  for (const std::int64_t step_s : {3600, 30, -3600, -30}) {
    command({"FLUSHALL"});
    QueueClock clock = new_clock();
    ask(clock);
    fill();
    const std::int64_t begin = now_ns_;
    for (int i = 1; i <= 100; ++i) {
      now_ns_ += 100 * kMs;
      if (i == 20) redis_off_us_ += step_s * 1'000'000;
      if (i == 60) redis_off_us_ -= step_s * 1'000'000;
      ask(clock);
      // The first unit's service takes one period.
      EXPECT_EQ(departed(), kRate * static_cast<double>(now_ns_ - begin) / kSecond) << step_s;
    }
  }
}

// Nodes whose clocks differ and drift, calls that are on their way for up to 3 s, steps, servers
// that lack the last changes, nodes that are replaced.
TEST_F(QueueTime, IsNeitherAheadNorBehindOverDrawnFaults) {
  constexpr double kPpm = 500e-6;
  struct Node {
    std::unique_ptr<QueueClock> clock;
    std::int64_t offset_ns;
    double drift;
    std::int64_t sent_ns = 0, next_ns = 0;
    bool has_base = false;
    enum class Next { kSend, kArrive, kReceive } next = Next::kSend;
    ScriptCall call;
    RedisReply reply;
  };
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const auto drawn = [&](std::int64_t from, std::int64_t to) {
      return from + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(to - from + 1));
    };
    const auto delay = [&] {
      const bool stalls = now_ns_ > 2 * kSecond && random() % 20 == 0;
      return stalls ? drawn(0, 3 * kSecond) : drawn(20'000, 2 * kMs);
    };
    command({"FLUSHALL"});
    now_ns_ = redis_off_us_ = 0;
    std::vector<Node> nodes;
    for (std::uint64_t i = 0; i < 1 + seed % 4; ++i) {
      nodes.push_back({std::make_unique<QueueClock>(new_clock()), drawn(-kSecond, 3600 * kSecond),
                       kPpm * static_cast<double>(drawn(-1000, 1000)) / 1000});
    }
    const auto time_of = [&](const Node& node) {
      const double elapsed = static_cast<double>(now_ns_) * (1 + node.drift);
      return NodeTime{node.offset_ns + static_cast<std::int64_t>(elapsed),
                      kWallUs + now_ns_ / 1000};
    };
    // The first instant of the clock is 0.
    ask(*nodes[0].clock, time_of(nodes[0]));
    nodes[0].has_base = true;
    fill();
    Contents behind = contents();
    std::int64_t next_fault = 3 * kSecond;
    double last = 0, most = 0;
    while (now_ns_ < 40 * kSecond) {
      Node& node = *std::ranges::min_element(nodes, {}, &Node::next_ns);
      now_ns_ = node.next_ns;
      if (now_ns_ >= next_fault) {
        next_fault = now_ns_ + drawn(kSecond, 4 * kSecond);
        const std::uint64_t kind = random() % 6;
        if (kind < 4) {
          redis_off_us_ = drawn(-4'000'000'000, 4'000'000'000) >> drawn(0, 20);
        } else if (kind == 4) {
          restore(behind);
          last = 0;
        } else if (nodes.size() > 1) {
          Node& other = nodes[1 + random() % (nodes.size() - 1)];
          other = {std::make_unique<QueueClock>(new_clock()), drawn(0, 100 * kSecond), node.drift,
                   now_ns_, now_ns_};
          continue;
        }
        if (random() % 2 == 0) behind = contents();
      }
      switch (node.next) {
        case Node::Next::kSend:
          node.call = node.clock->call(time_of(node));
          node.sent_ns = now_ns_;
          node.next_ns += delay();
          node.next = Node::Next::kArrive;
          break;
        case Node::Next::kArrive: {
          node.reply = run(node.call);
          const double now = departed();
          const double elapsed = static_cast<double>(now_ns_) / kSecond;
          ASSERT_LE(now, kRate * elapsed * (1 + kPpm) + 1);
          ASSERT_GE(now, last);
          last = now;
          most = std::max(most, now);
          // By the moment that the call was sent, but for the way of the base's reply.
          const double sent = static_cast<double>(node.sent_ns) / kSecond;
          if (node.has_base) {
            ASSERT_GE(now, kRate * (sent * (1 - 2 * kPpm) - 0.010) - 1);
          }
          node.next_ns += delay();
          node.next = Node::Next::kReceive;
          break;
        }
        case Node::Next::kReceive:
          ASSERT_TRUE(node.clock->on_reply(node.reply, time_of(node)).ok());
          // A reply that was on its way for long, of a clock that has moved since, is a poor base.
          node.has_base = node.has_base || &node == &nodes[0];
          node.next_ns += drawn(kMs, 500 * kMs);
          node.next = Node::Next::kSend;
          break;
      }
    }
    EXPECT_GE(most, kRate * 30);
  }
}

TEST_F(QueueTime, GoesOnByTheSmallerOfTwoWallClocksIfNoNodeLived) {
  QueueClock first = new_clock();
  ask(first);
  fill();
  now_ns_ += 20 * kSecond;
  ask(first);
  EXPECT_EQ(departed(), 20 * kRate);
  // All nodes stop; one starts a minute later, on another machine.
  now_ns_ += 60 * kSecond;
  QueueClock second = new_clock();
  ask(second, {5, exact().wall_us});
  EXPECT_EQ(departed(), 80 * kRate);
  // Again, and meanwhile Redis's clock is set.
  now_ns_ += 60 * kSecond;
  redis_off_us_ += 3'600'000'000;
  QueueClock third = new_clock();
  ask(third, {5, exact().wall_us});
  EXPECT_EQ(departed(), 140 * kRate);
  // While another one is alive, one that starts adds nothing, whatever the clocks say.
  now_ns_ += kSecond;
  redis_off_us_ += 3'600'000'000;
  QueueClock fourth = new_clock();
  ask(fourth, {5, exact().wall_us});
  EXPECT_EQ(departed(), 140 * kRate);
  ask(third, {5 + kSecond, exact().wall_us});
  EXPECT_EQ(departed(), 141 * kRate);
}

TEST_F(QueueTime, BeginsAnewWithNewData) {
  QueueClock clock = new_clock();
  ask(clock);
  fill();
  now_ns_ += 10 * kSecond;
  command({"FLUSHALL"});
  redis_off_us_ -= 7'200'000'000;
  ask(clock);
  fill();
  now_ns_ += kSecond;
  ask(clock);
  EXPECT_EQ(departed(), kRate);
}

TEST_F(QueueTime, ACallWithoutTheClockIsRefused) {
  const QueueUnits unit{"a", 1, false};
  const RedisReply reply = run(calls_.admit(bucket_, std::span(&unit, 1), 0));
  ASSERT_NE(reply.error(), nullptr);
  EXPECT_TRUE(reply.error()->text.starts_with("NOCLOCK")) << reply.error()->text;
}

TEST_F(QueueTime, StepsAreNoticedAndSlowRepliesAreNot) {
  QueueClock clock = new_clock();
  ask(clock);
  const auto slow = [&](std::int64_t there_ns, std::int64_t back_ns) {
    const ScriptCall call = clock.call(exact());
    now_ns_ += there_ns;
    const RedisReply reply = run(call);
    now_ns_ += back_ns;
    EXPECT_TRUE(clock.on_reply(reply, exact()).ok());
    return clock.take_step();
  };
  EXPECT_FALSE(slow(5 * kSecond, 0));
  EXPECT_FALSE(slow(0, 5 * kSecond));
  EXPECT_FALSE(slow(5 * kSecond, 5 * kSecond));
  EXPECT_FALSE(slow(0, 0));
  redis_off_us_ += 30'000'000;
  auto step = slow(kMs, kMs);
  ASSERT_TRUE(step.has_value());
  EXPECT_NEAR(static_cast<double>(step->by.ns), 30e9, 20e9 * 1e-3);
  EXPECT_FALSE(clock.take_step());
  redis_off_us_ -= 3'600'000'000;
  step = slow(kMs, kMs);
  ASSERT_TRUE(step.has_value());
  EXPECT_NEAR(static_cast<double>(step->by.ns), -3600e9, 20e9 * 1e-3);
  // A slewed clock is not a set one.
  for (int i = 0; i < 20; ++i) {
    now_ns_ += 500 * kMs;
    redis_off_us_ += 40'000;
    EXPECT_FALSE(slow(0, 0));
  }
}

}  // namespace
}  // namespace drip::cluster
