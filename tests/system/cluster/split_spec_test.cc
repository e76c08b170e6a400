// SPDX-License-Identifier: BSD-3-Clause
// The tests of the leaky-bucket specification, with its numbers, over three real dripds that share
// one split bucket: each call goes to the next node, and what is said of the bucket is said of the
// three queues together.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <vector>

#include "cluster_spec.h"
#include "split_group.h"
#include "support/stall_meter.h"

namespace drip {
namespace {

class SplitSpec : public ClusterSpec {
 protected:
  void configure(const std::string& id, std::uint64_t capacity, double rate) {
    id_ = id;
    rate_ = rate;
    v1::ConfigureBucketRequest request = split_bucket(id, rate, v1::FAILURE_POLICY_LAST_SHARE);
    request.set_capacity(capacity);
    set_split_bucket(*nodes_, next_node(), request);
    wait_until("a third of the rate for each", [&] {
      for (const auto& [node, share] : shares_of(*nodes_, id)) {
        if (std::abs(share - rate / 3) > 0.01 * rate) return false;
      }
      // And in effect: a share is told when it is granted, a moment before the bucket leaks by it.
      for (const auto& node : *nodes_) {
        const double leaks = node->client().bucket(id).true_leak_rate();
        if (std::abs(leaks - rate / 3) > 0.01 * rate) return false;
      }
      return true;
    });
    std::vector<StallMeter::Thread> threads = {{redis_->pid(), "redis-server"}};
    for (const auto& node : *nodes_) {
      threads.push_back({node->process().pid(), "drip-lcore-0"});
      threads.push_back({node->process().pid(), "drip-shares"});
    }
    meter_.emplace(threads);
    EXPECT_GE(meter_->watched(), threads.size());
  }
  struct Sum {
    std::uint64_t processed = 0;
    std::uint64_t queue = 0;
  };
  // Reads the bucket on all nodes and compares them together with the schedule, but for a unit in
  // service on each.
  Sum expect_lawful(std::uint64_t units) {
    Sum sum;
    const auto asked = Clock::now();
    for (const auto& node : *nodes_) {
      const v1::Bucket bucket = node->client().bucket(id_);
      sum.processed += bucket.processed_requests();
      sum.queue += bucket.queue_size();
    }
    const auto told = Clock::now();
    const auto processed = static_cast<double>(sum.processed);
    // What the machine keeps from running is late, and not lost.
    const double late = kLateShare + 2 * meter_->longest();
    EXPECT_GE(processed, std::min((seconds_between(first_, asked) - late) * rate_ - 3,
                                  static_cast<double>(units)));
    EXPECT_LE(processed, seconds_between(began_, told) * rate_ + 3);
    EXPECT_EQ(sum.processed + sum.queue, units);
    return sum;
  }

  // How much of a second's rate may be on its way from one node to another.
  static constexpr double kLateShare = 0.2;
  std::optional<StallMeter> meter_;
};

// test_constant_output_rate, test_smooth_output
TEST_F(SplitSpec, ConstantAndSmoothOutputRate) {
  configure("smooth", 100, 10.0);
  burst(50);
  for (int interval = 0; interval < 5; ++interval) {
    sleep_seconds(0.5);
    expect_lawful(50);
  }
}

// test_queue_rejection: each node has a queue of the whole capacity.
TEST_F(SplitSpec, QueueRejection) {
  configure("rejection", 10, 1.0);
  burst(30);
  int rejected = 0;
  for (int i = 0; i < 3; ++i) {
    const v1::AllowRequestResponse last = allow();
    if (last.allowed()) continue;
    ++rejected;
    EXPECT_EQ(last.reason(), v1::REJECT_REASON_FULL);
  }
  // Unless one has left each time.
  EXPECT_GE(rejected, 3 - seconds_between(began_, Clock::now()) * rate_ - 3 * 0.999);
  if (seconds_between(began_, Clock::now()) * rate_ < 2) {
    EXPECT_GT(rejected, 0);
  }
}

// test_estimated_wait_time: a node's own queue at its share of the rate.
TEST_F(SplitSpec, EstimatedWaitTime) {
  configure("wait", 100, 10.0);
  const auto began = Clock::now();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(allow().estimated_wait_ms(), 0);
  const auto first = Clock::now();
  for (int i = 0; i < 7; ++i) allow();
  const auto asked = Clock::now();
  const v1::AllowRequestResponse last = allow();
  const auto told = Clock::now();
  // Ten are before it in all, three of them on its node: nine of its share's time.
  const double wait = static_cast<double>(last.estimated_wait_ns()) / 1e9;
  EXPECT_GE(wait, 0.9 * 0.9 - seconds_between(began, told) - 1e-3);
  EXPECT_LE(wait, 0.9 * 1.1 - seconds_between(first, asked) + 0.1);
}

// test_queue_drains
TEST_F(SplitSpec, QueueDrains) {
  configure("drain", 20, 100.0);
  burst(20);
  expect_lawful(20);
  sleep_seconds(0.5);
  Sum last = expect_lawful(20);
  wait_until("all have left", [&] { return (last = expect_lawful(20)).queue == 0; });
  EXPECT_EQ(last.processed, 20U);
}

// test_leaky_vs_token_bucket_behavior, and after a pause: what was not used is no credit.
TEST_F(SplitSpec, LeakyVsTokenBucketBehavior) {
  configure("leaky", 100, 10.0);
  sleep_seconds(1.0);
  burst(50);
  expect_lawful(50);
  sleep_seconds(1.0);
  expect_lawful(50);
}

}  // namespace
}  // namespace drip
