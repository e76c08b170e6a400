// SPDX-License-Identifier: BSD-3-Clause
// Redis's clock is set, forward and back: what departs from three nodes stays within the rate and
// goes on, one node leads, and all say what has happened.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "exact_group.h"
#include "nodes/departure_sink.h"
#include "nodes/wall_clock.h"
#include "support/redis_server.h"
#include "support/stall_meter.h"

namespace drip {
namespace {

using Clock = DepartureSink::Clock;
using std::chrono::seconds;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

class ExactClock : public testing::TestWithParam<std::int64_t> {};

TEST_P(ExactClock, AStepReleasesNoBurstAndHoldsNothingBack) {
  constexpr double kRate = 100;
  constexpr double kStallSeconds = 0.3;  // Of the machine.
  const WallClock clock;
  RedisServer redis({}, nullptr, {}, clock.environment());
  ClusterNodes nodes = three_nodes(redis.url());
  set_exact_bucket(nodes, *nodes[0], exact_bucket("b", 1000, kRate));
  DepartureSink sink("b");
  for (const auto& node : nodes) sink.feed(*node, 100);
  const auto departures_a_second = [&sink] {
    const auto now = Clock::now();
    return static_cast<double>(sink.count(now - seconds(1), now));
  };
  wait_until("the rate is reached", [&] { return departures_a_second() > 0.9 * kRate; });
  std::vector<StallMeter::Thread> threads = {{redis.pid(), "redis-server"}};
  for (const auto& node : nodes) {
    for (const char* const name : {"drip-exact", "drip-turns"}) {
      threads.push_back({node->process().pid(), name});
    }
  }
  const StallMeter meter(threads);
  EXPECT_GE(meter.watched(), threads.size());

  const auto begin = Clock::now();
  const std::int64_t step = GetParam();
  for (const std::int64_t off : {step, std::int64_t{0}}) {
    const auto stepped = Clock::now();
    clock.set(off);
    std::this_thread::sleep_for(seconds(3));
    // What the machine kept from running is late, or comes from before.
    const auto now = Clock::now();
    const double span = std::chrono::duration<double>(now - stepped).count();
    const double late = 2 * meter.longest();  // Redis, and then a node.
    const auto departed = static_cast<double>(sink.count(stepped, now));
    EXPECT_GT(departed, 0.7 * kRate * (span - late)) << late << " s of stalls";
    EXPECT_LT(departed, 1.3 * kRate * (span + late)) << late << " s of stalls";
  }
  const double worst = worst_excess(sink.departures(), kRate, begin);
  const double late = 2 * meter.longest();
  std::cout << "worst excess over the rate: " << worst << " units, " << late
            << " s of stalls of the machine\n";
  EXPECT_LE(worst, 1 + kRate * (kStallSeconds + late));
  EXPECT_TRUE(sink.failures().empty());

  wait_until("one leads, for all", [&] { return !common_leader(nodes).empty(); });
  for (const auto& node : nodes) {
    const v1::GetClusterStatusResponse status = node->status();
    EXPECT_TRUE(status.connected());
    EXPECT_EQ(status.redis_clock_steps(), 2U);
    const std::string back = step > 0 ? "set back by " : "set forward by ";
    EXPECT_THAT(status.warnings(), Contains(HasSubstr("Redis's clock was " + back)));
    EXPECT_THAT(node->process().log(), AllOf(HasSubstr("Redis's clock was set forward by "),
                                             HasSubstr("Redis's clock was set back by ")));
    EXPECT_EQ(node->client().bucket("b").policy_changes(), 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, ExactClock, testing::Values(3600, 30, -3600), [](const auto& step) {
  return (step.param > 0 ? "Forward" : "Back") + std::to_string(std::abs(step.param));
});

}  // namespace
}  // namespace drip
