// SPDX-License-Identifier: BSD-3-Clause
// AwaitTurn over gRPC: turns, deadlines, cancels, deletion and shutdown.
#include <gtest/gtest.h>

#include <deque>
#include <future>
#include <string>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

class AwaitTurnRpc : public NodeFixture {
 protected:
  struct Wait {
    grpc::ClientContext context;
    v1::AwaitTurnRequest request;
    v1::AwaitTurnResponse reply;
    std::promise<grpc::Status> done;
    std::future<grpc::Status> status = done.get_future();

    bool is_done() { return status.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  };

  ~AwaitTurnRpc() override {
    for (Wait& wait : waits_) wait.context.TryCancel();
    for (Wait& wait : waits_) {
      if (wait.status.valid()) wait.status.wait();
    }
  }

  Wait& await(const std::string& request,
              std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
    Wait& wait = waits_.emplace_back();
    wait.request = message<v1::AwaitTurnRequest>(request);
    wait.context.set_deadline(std::chrono::system_clock::now() + deadline);
    limiter_->async()->AwaitTurn(&wait.context, &wait.request, &wait.reply,
                                 [&wait](grpc::Status status) { wait.done.set_value(status); });
    return wait;
  }
  /// Awaits and returns when the request is in the queue.
  Wait& await_queued(const std::string& request,
                     std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
    const auto before = status_of("b").queue_size();
    Wait& wait = await(request, deadline);
    EXPECT_TRUE(wait_until([&] { return status_of("b").queue_size() == before + 1; }));
    return wait;
  }
  static void expect_status(Wait& wait, grpc::StatusCode code) {
    ASSERT_EQ(wait.status.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    const grpc::Status status = wait.status.get();
    EXPECT_EQ(status.error_code(), code) << status.error_message();
  }

  std::deque<Wait> waits_;
};

TEST_F(AwaitTurnRpc, ReturnsWhenTheRequestHasLeft) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  Wait& first = await_queued("bucket_id: 'b' request_id: 'x'");
  Wait& second = await_queued("bucket_id: 'b'");
  EXPECT_FALSE(first.is_done());
  engine_.advance(Duration{kSecond.ns / 10});
  expect_status(first, grpc::OK);
  EXPECT_TRUE(first.reply.allowed());
  EXPECT_EQ(first.reply.request_id(), "x");
  EXPECT_EQ(first.reply.sojourn_ns(), 100'000'000);
  EXPECT_FALSE(first.reply.dropped());
  EXPECT_FALSE(second.is_done());
  engine_.advance(Duration{kSecond.ns / 10});
  expect_status(second, grpc::OK);
  EXPECT_NE(second.reply.request_id(), "");
}

TEST_F(AwaitTurnRpc, JoinsARequestThatIsQueued) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  allow("bucket_id: 'b' request_id: 'x'");
  Wait& one = await("bucket_id: 'b' request_id: 'x'");
  Wait& two = await("bucket_id: 'b' request_id: 'x'");
  // Both are in when a third is behind them.
  await_queued("bucket_id: 'b'");
  EXPECT_EQ(status_of("b").total_requests(), 2U);
  engine_.advance(Duration{kSecond.ns / 10});
  expect_status(one, grpc::OK);
  expect_status(two, grpc::OK);
}

TEST_F(AwaitTurnRpc, ARejectionIsAnsweredAtOnce) {
  configure("bucket_id: 'b' capacity: 1 leak_rate: 10");
  allow("bucket_id: 'b'");
  Wait& rejected = await("bucket_id: 'b'");
  expect_status(rejected, grpc::OK);
  EXPECT_FALSE(rejected.reply.allowed());
  EXPECT_EQ(rejected.reply.reason(), v1::REJECT_REASON_FULL);
}

TEST_F(AwaitTurnRpc, RefusesWhatAllowRefuses) {
  expect_status(await("bucket_id: 'no'"), grpc::NOT_FOUND);
  expect_status(await("bucket_id: '?'"), grpc::INVALID_ARGUMENT);
}

TEST_F(AwaitTurnRpc, TheDeadlineKeepsThePlace) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  Wait& late = await_queued("bucket_id: 'b' request_id: 'x'", std::chrono::milliseconds(500));
  expect_status(late, grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(allow("bucket_id: 'b' request_id: 'x'").duplicate());
  EXPECT_EQ(engine_.releases, 0);
  engine_.advance(kSecond);
  EXPECT_EQ(status_of("b").processed_requests(), 1U);
}

TEST_F(AwaitTurnRpc, AWaitBeyondTheDeadlineIsRefusedAtOnce) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 0.01");
  // Even in an empty bucket it would leave after 100 s.
  for (const char* wait : {"", " release_on_cancel: true"}) {
    Wait& refused = await(std::string("bucket_id: 'b'") + wait);
    expect_status(refused, grpc::OK);
    EXPECT_FALSE(refused.reply.allowed());
    EXPECT_EQ(refused.reply.reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  }
  allow("bucket_id: 'b' request_id: 'x'");
  Wait& behind = await("bucket_id: 'b'");
  expect_status(behind, grpc::OK);
  EXPECT_EQ(behind.reply.reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  EXPECT_EQ(behind.reply.estimated_wait_ns(), 100 * kSecond.ns);
  Wait& impatient = await("bucket_id: 'b' max_wait_ns: 5", std::chrono::hours(1));
  expect_status(impatient, grpc::OK);
  EXPECT_EQ(impatient.reply.reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  const v1::Bucket bucket = status_of("b");
  EXPECT_EQ(bucket.rejected_wait_too_long(), 4U);
  EXPECT_EQ(bucket.rejected_requests(), 4U);
  EXPECT_EQ(bucket.allowed_requests(), 1U);
  EXPECT_EQ(bucket.queue_size(), 1U);
  // One that waits already is waited for as long as the call may last.
  Wait& joins = await("bucket_id: 'b' request_id: 'x'", std::chrono::milliseconds(300));
  expect_status(joins, grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(allow("bucket_id: 'b' request_id: 'x'").duplicate());
  // A call without a deadline may last for any time.
  Wait& patient = waits_.emplace_back();
  patient.request = message<v1::AwaitTurnRequest>("bucket_id: 'b' request_id: 'y'");
  limiter_->async()->AwaitTurn(&patient.context, &patient.request, &patient.reply,
                               [&](grpc::Status status) { patient.done.set_value(status); });
  EXPECT_TRUE(wait_until([&] { return status_of("b").queue_size() == 2; }));
}

TEST_F(AwaitTurnRpc, OneThatHasLeftIsAnsweredAtOnce) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  Wait& first = await_queued("bucket_id: 'b' request_id: 'x' remember_ns: 60000000000");
  engine_.advance(kSecond);
  expect_status(first, grpc::OK);
  EXPECT_FALSE(first.reply.duplicate());
  Wait& again = await("bucket_id: 'b' request_id: 'x'");
  expect_status(again, grpc::OK);
  EXPECT_TRUE(again.reply.allowed());
  EXPECT_TRUE(again.reply.duplicate());
  EXPECT_EQ(status_of("b").allowed_requests(), 1U);
}

TEST_F(AwaitTurnRpc, ACancelKeepsThePlace) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  Wait& cancelled = await_queued("bucket_id: 'b' request_id: 'x'");
  cancelled.context.TryCancel();
  expect_status(cancelled, grpc::CANCELLED);
  EXPECT_TRUE(allow("bucket_id: 'b' request_id: 'x'").duplicate());
}

TEST_F(AwaitTurnRpc, ReleaseOnCancelGivesThePlaceUp) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  allow("bucket_id: 'b'");
  Wait& cancelled = await_queued("bucket_id: 'b' request_id: 'x' release_on_cancel: true");
  Wait& late = await_queued("bucket_id: 'b' request_id: 'y' release_on_cancel: true",
                            std::chrono::milliseconds(700));
  allow("bucket_id: 'b' request_id: 'behind'");
  cancelled.context.TryCancel();
  expect_status(cancelled, grpc::CANCELLED);
  expect_status(late, grpc::DEADLINE_EXCEEDED);
  EXPECT_TRUE(wait_until([&] { return status_of("b").queue_size() == 2; }));
  EXPECT_EQ(status_of("b").dropped_requests(), 2U);
  EXPECT_EQ(allow("bucket_id: 'b' request_id: 'behind'").queue_position(), 2U);
}

TEST_F(AwaitTurnRpc, OthersLearnThatTheirPlaceWasGivenUp) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  allow("bucket_id: 'b' request_id: 'head'");
  Wait& head = await("bucket_id: 'b' request_id: 'head'");
  Wait& one = await_queued("bucket_id: 'b' request_id: 'x' release_on_cancel: true");
  Wait& two = await("bucket_id: 'b' request_id: 'x'");
  await_queued("bucket_id: 'b'");
  one.context.TryCancel();
  expect_status(two, grpc::ABORTED);
  EXPECT_FALSE(head.is_done());
}

TEST_F(AwaitTurnRpc, DeleteWithDropAnswersDropped) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  Wait& one = await_queued("bucket_id: 'b'");
  Wait& two = await_queued("bucket_id: 'b'");
  EXPECT_EQ(remove("bucket_id: 'b' mode: DELETE_MODE_DROP").dropped(), 2U);
  for (Wait* wait : {&one, &two}) {
    expect_status(*wait, grpc::OK);
    EXPECT_TRUE(wait->reply.allowed());
    EXPECT_TRUE(wait->reply.dropped());
  }
}

TEST_F(AwaitTurnRpc, DeleteWithDrainLetsThemHaveTheirTurn) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  Wait& one = await_queued("bucket_id: 'b'");
  EXPECT_EQ(remove("bucket_id: 'b'").draining(), 1U);
  engine_.advance(kSecond);
  expect_status(one, grpc::OK);
  EXPECT_FALSE(one.reply.dropped());
}

TEST_F(AwaitTurnRpc, AStopAnswersUnavailable) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 0.1");
  Wait& one = await_queued("bucket_id: 'b'");
  node_->begin_drain();
  EXPECT_FALSE(one.is_done());
  (void)engine_.drain_and_stop({});
  expect_status(one, grpc::UNAVAILABLE);  // Before the server goes.
  EXPECT_FALSE(one.reply.dropped());
  configure("bucket_id: 'c' capacity: 10 leak_rate: 0.1");
  Wait& two = await("bucket_id: 'c'");
  EXPECT_TRUE(wait_until([&] { return status_of("c").queue_size() == 1; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  node_->stop(std::chrono::seconds(5));
  expect_status(two, grpc::UNAVAILABLE);
}

TEST_F(AwaitTurnRpc, ManyAtOnceInManyBuckets) {
  constexpr int kBuckets = 5;
  constexpr int kEach = 60;
  for (int b = 0; b < kBuckets; ++b) {
    configure("bucket_id: 'm" + std::to_string(b) + "' capacity: 100 leak_rate: 10");
  }
  for (int i = 0; i < kEach; ++i) {
    for (int b = 0; b < kBuckets; ++b) await("bucket_id: 'm" + std::to_string(b) + "'");
  }
  EXPECT_TRUE(wait_until([&] {
    std::uint64_t queued = 0;
    for (int b = 0; b < kBuckets; ++b) queued += status_of("m" + std::to_string(b)).queue_size();
    return queued == kBuckets * kEach;
  }));
  for (int i = 0; i < 10; ++i) engine_.advance(kSecond);
  for (Wait& wait : waits_) {
    ASSERT_EQ(wait.status.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    const grpc::Status status = wait.status.get();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_GT(wait.reply.sojourn_ns(), 0);
  }
}

}  // namespace
}  // namespace drip::control
