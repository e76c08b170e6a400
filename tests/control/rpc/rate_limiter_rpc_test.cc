// SPDX-License-Identifier: BSD-3-Clause
// RateLimiterService over gRPC: the specification's tests in virtual time, and every error code.
#include <gtest/gtest.h>

#include <string>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

using RateLimiterRpc = NodeFixture;
using Stub = v1::RateLimiterService::Stub;

TEST_F(RateLimiterRpc, ConfigureCreatesAndChanges) {
  const auto created = configure("bucket_id: 'test' capacity: 100 leak_rate: 10.0");
  expect_ok();
  EXPECT_TRUE(created.created());
  EXPECT_EQ(created.bucket().bucket_id(), "test");
  EXPECT_EQ(created.bucket().capacity(), 100U);
  EXPECT_EQ(created.bucket().leak_rate(), 10.0);
  EXPECT_EQ(created.bucket().config().departure(), v1::DEPARTURE_AT_END);
  EXPECT_EQ(created.bucket().last_leak_time(), 0);
  const auto changed = configure("bucket_id: 'test' capacity: 50");
  EXPECT_FALSE(changed.created());
  EXPECT_EQ(changed.bucket().capacity(), 50U);
  EXPECT_EQ(changed.bucket().leak_rate(), 10.0);
}

TEST_F(RateLimiterRpc, ConstantOutputRate) {
  configure("bucket_id: 'test' capacity: 100 leak_rate: 10.0");
  for (int i = 0; i < 50; ++i) allow("bucket_id: 'test'");
  const auto before = status_of("test").processed_requests();
  engine_.advance(Duration{2 * kSecond.ns});
  EXPECT_EQ(status_of("test").processed_requests() - before, 20U);
}

TEST_F(RateLimiterRpc, TheSecondStatusHasARate) {
  configure("bucket_id: 'test' capacity: 100 leak_rate_bps: 80000 departure: DEPARTURE_AT_END");
  for (int i = 0; i < 50; ++i) allow("bucket_id: 'test' bytes: 1000");
  EXPECT_FALSE(status_of("test").has_processed_bps());
  engine_.advance(kSecond);
  const v1::Bucket bucket = status_of("test");
  EXPECT_EQ(bucket.measured_over_ns(), 1'000'000'000U);
  EXPECT_DOUBLE_EQ(bucket.processed_per_second(), 10);
  EXPECT_DOUBLE_EQ(bucket.processed_bps(), 80'000);
  const auto listed = call(*shaper_, &v1::ShaperService::Stub::ListBuckets, "page_size: 10");
  ASSERT_EQ(listed.buckets_size(), 1);
  EXPECT_FALSE(listed.buckets(0).has_processed_bps()) << "a list measures nothing";
}

TEST_F(RateLimiterRpc, QueueRejection) {
  configure("bucket_id: 'test' capacity: 10 leak_rate: 1.0");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(allow("bucket_id: 'test'").allowed());
  const auto rejected = allow("bucket_id: 'test' request_id: 'late'");
  expect_ok();
  EXPECT_FALSE(rejected.allowed());
  EXPECT_EQ(rejected.queue_position(), 0U);
  EXPECT_EQ(rejected.estimated_wait_ms(), 0);
  EXPECT_EQ(rejected.reason(), v1::REJECT_REASON_FULL);
  EXPECT_EQ(rejected.request_id(), "late");
  EXPECT_EQ(status_of("test").rejected_full(), 1U);
}

TEST_F(RateLimiterRpc, EstimatedWaitTime) {
  configure("bucket_id: 'test' capacity: 100 leak_rate: 10.0");
  EXPECT_EQ(allow("bucket_id: 'test'").estimated_wait_ms(), 0);
  for (int i = 0; i < 9; ++i) allow("bucket_id: 'test'");
  const auto eleventh = allow("bucket_id: 'test'");
  EXPECT_EQ(eleventh.queue_position(), 11U);
  EXPECT_EQ(eleventh.estimated_wait_ms(), 1000);
  EXPECT_EQ(eleventh.estimated_wait_ns(), 1'000'000'000);
}

TEST_F(RateLimiterRpc, SmoothOutputAndDrain) {
  configure("bucket_id: 'smooth' capacity: 100 leak_rate: 10.0");
  for (int i = 0; i < 20; ++i) allow("bucket_id: 'smooth'");
  EXPECT_EQ(status_of("smooth").queue_size(), 20U);
  EXPECT_EQ(status_of("smooth").processed_requests(), 0U);
  std::uint64_t before = 0;
  for (int i = 0; i < 4; ++i) {
    engine_.advance(Duration{kSecond.ns / 2});
    const auto processed = status_of("smooth").processed_requests();
    EXPECT_EQ(processed - before, 5U);
    before = processed;
  }
  const v1::Bucket drained = status_of("smooth");
  EXPECT_EQ(drained.queue_size(), 0U);
  EXPECT_EQ(drained.processed_requests(), 20U);
  EXPECT_GT(drained.last_leak_time(), 0);
}

TEST_F(RateLimiterRpc, NothingLeavesAtOnceAfterAnIdlePause) {
  configure("bucket_id: 'leaky' capacity: 100 leak_rate: 10.0");
  engine_.advance(Duration{3 * kSecond.ns});
  for (int i = 0; i < 50; ++i) allow("bucket_id: 'leaky'");
  EXPECT_EQ(status_of("leaky").queue_size(), 50U);
  EXPECT_EQ(status_of("leaky").processed_requests(), 0U);
  engine_.advance(kSecond);
  EXPECT_EQ(status_of("leaky").processed_requests(), 10U);
}

TEST_F(RateLimiterRpc, TheSameIdIsTheSamePlace) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  allow("bucket_id: 'b' request_id: 'x'");
  allow("bucket_id: 'b' request_id: 'y'");
  const auto again = allow("bucket_id: 'b' request_id: 'y'");
  EXPECT_TRUE(again.allowed());
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.queue_position(), 2U);
  EXPECT_EQ(again.estimated_wait_ms(), 100);
  EXPECT_EQ(status_of("b").total_requests(), 2U);
  // The same id in another bucket is another request.
  configure("bucket_id: 'c' capacity: 10 leak_rate: 10");
  EXPECT_FALSE(allow("bucket_id: 'c' request_id: 'y'").duplicate());
}

TEST_F(RateLimiterRpc, AWaitThatIsTooLongIsRefusedAndNotCharged) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  EXPECT_TRUE(allow("bucket_id: 'b' max_wait_ns: 0").allowed());
  EXPECT_TRUE(allow("bucket_id: 'b' max_wait_ns: 100000000").allowed());
  const auto refused = allow("bucket_id: 'b' max_wait_ns: 199999999");
  EXPECT_FALSE(refused.allowed());
  EXPECT_EQ(refused.reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  EXPECT_EQ(refused.estimated_wait_ns(), 200'000'000);
  EXPECT_EQ(refused.estimated_wait_ms(), 200);
  EXPECT_EQ(refused.queue_position(), 0U);
  EXPECT_EQ(status_of("b").allowed_requests(), 2U);
  EXPECT_EQ(status_of("b").rejected_wait_too_long(), 1U);
  EXPECT_TRUE(allow("bucket_id: 'b' max_wait_ns: 18446744073709551615").allowed());
}

TEST_F(RateLimiterRpc, ALookTellsAndChangesNothing) {
  configure("bucket_id: 'b' capacity: 2 leak_rate: 10");
  allow("bucket_id: 'b' request_id: 'x'");
  const auto look = allow("bucket_id: 'b' request_id: 'y' peek: true");
  EXPECT_TRUE(look.allowed());
  EXPECT_FALSE(look.duplicate());
  EXPECT_EQ(look.queue_position(), 2U);
  EXPECT_EQ(look.estimated_wait_ns(), 100'000'000);
  EXPECT_TRUE(allow("bucket_id: 'b' request_id: 'x' peek: true").duplicate());
  EXPECT_EQ(status_of("b").total_requests(), 1U);
  EXPECT_FALSE(allow("bucket_id: 'b' request_id: 'y'").duplicate());
  const auto full = allow("bucket_id: 'b' peek: true");
  EXPECT_FALSE(full.allowed());
  EXPECT_EQ(full.reason(), v1::REJECT_REASON_FULL);
  EXPECT_EQ(status_of("b").rejected_requests(), 0U);
}

TEST_F(RateLimiterRpc, ARememberedIdIsNotChargedAgain) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  allow("bucket_id: 'b' request_id: 'x' remember_ns: 60000000000");
  engine_.advance(kSecond);
  const auto again = allow("bucket_id: 'b' request_id: 'x'");
  EXPECT_TRUE(again.allowed());
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.queue_position(), 0U);
  EXPECT_EQ(status_of("b").allowed_requests(), 1U);
  EXPECT_EQ(call(*shaper_, &v1::ShaperService::Stub::GetNode, "").remembered_ids(), 1U);
  engine_.advance(Duration{60 * kSecond.ns});
  EXPECT_FALSE(allow("bucket_id: 'b' request_id: 'x'").duplicate());
  allow("bucket_id: 'b' remember_ns: 86400000000001");
  expect_error(grpc::INVALID_ARGUMENT,
               "remember_ns: 86400000000001 is not allowed: 0 to 86400000000000 ns");
}

TEST_F(RateLimiterRpc, AllowRefuses) {
  configure("bucket_id: 'units' capacity: 10 leak_rate: 10");
  configure("bucket_id: 'bits' capacity: 10 leak_rate_bps: 8000");
  allow("bucket_id: 'none'");
  expect_error(grpc::NOT_FOUND, "bucket_id: no bucket is named \"none\"");
  allow("bucket_id: ''");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  allow("bucket_id: 'units' request_id: '" + std::string(129, 'r') + "'");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  allow("bucket_id: 'bits'");
  expect_error(grpc::INVALID_ARGUMENT,
               "bytes: missing: bucket \"bits\" leaks bits, so a request needs 1 to 65535 bytes");
  allow("bucket_id: 'bits' bytes: 65536");
  expect_error(grpc::INVALID_ARGUMENT, "bytes: 65536 is not allowed: 1 to 65535 bytes");
  allow("bucket_id: 'bits' bytes: 125");
  EXPECT_EQ(allow("bucket_id: 'bits' bytes: 125").estimated_wait_ms(), 125);
  EXPECT_EQ(status_of("units").total_requests(), 0U);
}

TEST_F(RateLimiterRpc, RequestsAreBounded) {
  configure("bucket_id: 'b' capacity: 5000 leak_rate: 1");
  for (int i = 0; i < 1000; ++i) allow("bucket_id: 'b'");
  expect_ok();
  allow("bucket_id: 'b'");
  EXPECT_EQ(status_.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_NE(status_.error_message().find("1000 requests"), std::string::npos);
}

TEST_F(RateLimiterRpc, ConfigureRefuses) {
  configure("bucket_id: 'b' capacity: 1 leak_rate: -1");
  expect_error(grpc::INVALID_ARGUMENT,
               "leak_rate: -1 is not allowed: 0.000277778 to 1e+09 units a second");
  configure("bucket_id: 'b' leak_rate: 1");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  engine_.fail_apply = absl::ResourceExhaustedError("capacity: 16 MiB more would be needed");
  configure("bucket_id: 'b' capacity: 1 leak_rate: 1");
  expect_error(grpc::RESOURCE_EXHAUSTED, "capacity: 16 MiB more would be needed");
  status_of("b");
  expect_error(grpc::NOT_FOUND, "bucket_id: no bucket is named \"b\"");
}

TEST_F(RateLimiterRpc, DeleteDrainsOrDrops) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 1");
  for (int i = 0; i < 3; ++i) allow("bucket_id: 'b'");
  const auto drained = remove("bucket_id: 'b'");
  EXPECT_TRUE(drained.deleted());
  EXPECT_EQ(drained.draining(), 3U);
  EXPECT_EQ(drained.dropped(), 0U);
  allow("bucket_id: 'b'");
  EXPECT_EQ(status_.error_code(), grpc::NOT_FOUND);

  EXPECT_TRUE(configure("bucket_id: 'b' capacity: 10 leak_rate: 1").created());
  for (int i = 0; i < 2; ++i) allow("bucket_id: 'b'");
  const auto dropped = remove("bucket_id: 'b' mode: DELETE_MODE_DROP");
  EXPECT_EQ(dropped.dropped(), 2U);
  EXPECT_EQ(dropped.draining(), 0U);
  remove("bucket_id: 'b'");
  expect_error(grpc::NOT_FOUND, "bucket_id: no bucket is named \"b\"");
  remove("bucket_id: 'b' mode: 7");
  expect_error(grpc::INVALID_ARGUMENT,
               "mode: 7 is not allowed: DELETE_MODE_DRAIN (1), DELETE_MODE_DROP (2) or unset");
}

TEST_F(RateLimiterRpc, DeleteRefusesABucketInUse) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 1");
  call(*shaper_, &v1::ShaperService::Stub::SetRule, "rule { rule_id: 'r' bucket_id: 'b' }");
  expect_ok();
  remove("bucket_id: 'b'");
  expect_error(grpc::FAILED_PRECONDITION, "bucket_id: \"b\" still gets packets from rule \"r\"");
}

TEST_F(RateLimiterRpc, QueuedRequestsComeInPages) {
  configure("bucket_id: 'b' capacity: 100 leak_rate: 10");
  for (int i = 0; i < 25; ++i) allow("bucket_id: 'b' request_id: 'r" + std::to_string(i) + "'");
  std::string token;
  int seen = 0;
  int pages = 0;
  do {
    const auto page = call(*limiter_, &Stub::GetQueuedRequests,
                           "bucket_id: 'b' page_size: 10 page_token: '" + token + "'");
    expect_ok();
    for (const v1::QueuedRequest& request : page.requests()) {
      EXPECT_EQ(request.request_id(), "r" + std::to_string(seen));
      EXPECT_EQ(request.queue_position(), static_cast<std::uint64_t>(++seen));
      EXPECT_EQ(request.estimated_wait_ns(), std::int64_t{100'000'000} * (seen - 1));
      EXPECT_NEAR(static_cast<double>(request.estimated_process_time() - request.enqueue_time()),
                  100.0 * (seen - 1), 1);
    }
    token = page.next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(seen, 25);
  EXPECT_EQ(pages, 3);
  call(*limiter_, &Stub::GetQueuedRequests, "bucket_id: 'b' page_size: 1001");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  call(*limiter_, &Stub::GetQueuedRequests, "bucket_id: 'b' page_token: 'x'");
  EXPECT_EQ(status_.error_code(), grpc::INVALID_ARGUMENT);
  call(*limiter_, &Stub::GetQueuedRequests, "bucket_id: 'no'");
  EXPECT_EQ(status_.error_code(), grpc::NOT_FOUND);
}

TEST_F(RateLimiterRpc, ASingleNodeAnswersForItself) {
  configure("bucket_id: 'a' capacity: 1 leak_rate: 10");
  configure("bucket_id: 'b' capacity: 1 leak_rate: 10");
  allow("bucket_id: 'a'");
  allow("bucket_id: 'a'");
  allow("bucket_id: 'b'");
  engine_.advance(kSecond);
  const auto leader = call(*limiter_, &Stub::GetLeader, "");
  EXPECT_EQ(leader.node_id(), "n1");
  EXPECT_EQ(leader.address(), "node.example:50051");
  EXPECT_TRUE(leader.is_self());
  EXPECT_EQ(leader.epoch(), 0U);
  const auto cluster = call(*limiter_, &Stub::GetClusterStatus, "");
  EXPECT_FALSE(cluster.clustered());
  ASSERT_EQ(cluster.nodes_size(), 1);
  const v1::ClusterNode& node = cluster.nodes(0);
  EXPECT_EQ(node.node_id(), "n1");
  EXPECT_EQ(node.role(), v1::NODE_ROLE_LEADER);
  EXPECT_EQ(node.state(), v1::NODE_STATE_UP);
  EXPECT_EQ(node.version(), "1.2.3");
  EXPECT_GT(node.last_seen_time(), 0);
  EXPECT_EQ(node.buckets(), 2U);
  EXPECT_EQ(node.total_requests(), 3U);
  EXPECT_EQ(node.allowed_requests(), 2U);
  EXPECT_EQ(node.rejected_requests(), 1U);
  EXPECT_EQ(node.processed_requests(), 2U);
}

}  // namespace
}  // namespace drip::control
