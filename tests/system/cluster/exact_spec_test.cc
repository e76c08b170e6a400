// SPDX-License-Identifier: BSD-3-Clause
// The tests of the leaky-bucket specification, with its numbers, over three real dripds that share
// one exact bucket: each call goes to the next node.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "cluster_spec.h"
#include "exact_group.h"

namespace drip {
namespace {

// A unit that finds the queue empty is served from when its call left the node, as the node's
// earliest reply dates it: by so much before it arrived at the queue, on a busy machine.
constexpr double kWaySeconds = 0.05;

class ExactSpec : public ClusterSpec {
 protected:
  void configure(const std::string& id, std::uint64_t capacity, double rate) {
    id_ = id;
    rate_ = rate;
    set_exact_bucket(*nodes_, next_node(), exact_bucket(id, capacity, rate));
  }
  // Reads the bucket and compares it with the schedule: unit i departs i / rate after the first
  // came.
  v1::Bucket expect_lawful(std::uint64_t units) {
    const auto asked = Clock::now();
    const v1::Bucket bucket = next_node().client().bucket(id_);
    const auto told = Clock::now();
    const auto least = std::floor(seconds_between(first_, asked) * rate_ - 1e-3);
    const auto most = std::floor((seconds_between(began_, told) + kWaySeconds) * rate_ + 1e-3);
    const auto processed = static_cast<double>(bucket.processed_requests());
    EXPECT_GE(processed, std::min(least, static_cast<double>(units)));
    EXPECT_LE(processed, most);
    EXPECT_EQ(bucket.processed_requests() + bucket.queue_size(), units);
    return bucket;
  }
};

// test_constant_output_rate, test_smooth_output
TEST_F(ExactSpec, ConstantAndSmoothOutputRate) {
  configure("smooth", 100, 10.0);
  burst(50);
  for (int interval = 0; interval < 5; ++interval) {
    sleep_seconds(0.5);
    expect_lawful(50);
  }
}

// test_queue_rejection
TEST_F(ExactSpec, QueueRejection) {
  configure("rejection", 10, 1.0);
  burst(10);
  const v1::AllowRequestResponse last = allow();
  // Unless a second has passed and one has left.
  const bool slow = seconds_between(began_, Clock::now()) * rate_ >= 1;
  EXPECT_TRUE(slow || !last.allowed());
  EXPECT_TRUE(slow || last.reason() == v1::REJECT_REASON_FULL);
}

// test_estimated_wait_time
TEST_F(ExactSpec, EstimatedWaitTime) {
  configure("wait", 100, 10.0);
  const auto began = Clock::now();
  EXPECT_EQ(allow().estimated_wait_ms(), 0);
  const auto first = Clock::now();
  for (int i = 0; i < 9; ++i) allow();
  const auto asked = Clock::now();
  const v1::AllowRequestResponse last = allow();
  const auto told = Clock::now();
  if (seconds_between(began, told) * rate_ < 1) {
    EXPECT_EQ(last.queue_position(), 11U);
  }
  // Its service begins 1 s after the first came.
  const double wait = static_cast<double>(last.estimated_wait_ns()) / 1e9;
  EXPECT_GE(wait, 1.0 - seconds_between(began, told) - 1e-3);
  EXPECT_LE(wait, 1.0 - seconds_between(first, asked) + 1e-3);
}

// test_queue_drains
TEST_F(ExactSpec, QueueDrains) {
  configure("drain", 20, 100.0);
  burst(20);
  const v1::Bucket full = expect_lawful(20);
  if (seconds_between(began_, Clock::now()) * rate_ < 1) {
    EXPECT_EQ(full.queue_size(), 20U);
  }
  sleep_seconds(0.5);
  const v1::Bucket empty = expect_lawful(20);
  EXPECT_EQ(empty.queue_size(), 0U);
  EXPECT_EQ(empty.processed_requests(), 20U);
}

// test_leaky_vs_token_bucket_behavior, and after a pause: what was not used is no credit.
TEST_F(ExactSpec, LeakyVsTokenBucketBehavior) {
  configure("leaky", 100, 10.0);
  sleep_seconds(1.0);
  burst(50);
  const v1::Bucket at_once = expect_lawful(50);
  if (seconds_between(began_, Clock::now()) * rate_ < 1) {
    EXPECT_EQ(at_once.queue_size(), 50U);
    EXPECT_EQ(at_once.processed_requests(), 0U);
  }
  sleep_seconds(1.0);
  expect_lawful(50);
}

}  // namespace
}  // namespace drip
