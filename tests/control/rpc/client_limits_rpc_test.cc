// SPDX-License-Identifier: BSD-3-Clause
// What each client may have of the node, over real gRPC.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <future>
#include <string>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class LimitedClients : public NodeFixture {
 protected:
  static NodeOptions options() {
    NodeOptions options = default_options();
    options.client_limits.calls_per_second = 100;
    options.client_limits.most = {4, 3, 5};
    return options;
  }
  explicit LimitedClients(const NodeOptions& with = options()) : NodeFixture(with) {
    configure("bucket_id: 'b' capacity: 100 leak_rate: 1");
  }
  static void expect_refused(const grpc::Status& status, const std::string& limit) {
    EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED) << status.error_message();
    EXPECT_THAT(status.error_message(), StartsWith(limit + ": 127.0.0.1 "));
  }
};

TEST_F(LimitedClients, CallsASecond) {
  int made = 0;
  for (int i = 0; i < 200; ++i) {
    made += allow("bucket_id: 'b'").reason() == v1::REJECT_REASON_UNSPECIFIED && status_.ok();
    if (!status_.ok()) break;
  }
  expect_refused(status_, "calls_per_second");
  EXPECT_THAT(status_.error_message(), HasSubstr("makes more than 100 calls a second"));
  // The fixture made one.
  EXPECT_GE(made, 99);
  // It is as a token that is spent: a moment later there is one again.
  EXPECT_TRUE(wait_until([&] {
    (void)status_of("b");
    return status_.ok();
  }));
}

class FewCalls : public LimitedClients {
 protected:
  static NodeOptions options() {
    NodeOptions options = LimitedClients::options();
    options.client_limits.calls_per_second = 0;
    return options;
  }
  FewCalls() : LimitedClients(options()) {}
  ~FewCalls() override {
    for (Call& call : calls_) call.context.TryCancel();
    for (Call& call : calls_) {
      if (call.status.valid()) call.status.wait();
    }
  }

  struct Call {
    grpc::ClientContext context;
    v1::AwaitTurnRequest request = message<v1::AwaitTurnRequest>("bucket_id: 'b'");
    v1::AwaitTurnResponse reply;
    std::promise<grpc::Status> done;
    std::future<grpc::Status> status = done.get_future();
  };
  Call& await() {
    Call& call = calls_.emplace_back();
    limiter_->async()->AwaitTurn(&call.context, &call.request, &call.reply,
                                 [&call](grpc::Status status) { call.done.set_value(status); });
    return call;
  }
  bool queued(std::uint64_t count) {
    return wait_until([&] { return status_of("b").queue_size() == count; });
  }
  std::deque<Call> calls_;
};

TEST_F(FewCalls, WaitingRequestsOfCallsAndOfStreams) {
  await();
  await();
  ASSERT_TRUE(queued(2));
  // Of a stream each entry is one.
  grpc::ClientContext context;
  const auto stream = limiter_->AwaitTurns(&context);
  v1::AwaitTurnsRequest request;
  v1::AwaitTurnsEntry& entry = *request.add_entries();
  entry.set_bucket_id("b");
  entry.set_tag(7);
  entry.set_release_on_cancel(true);
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(queued(3));
  entry.set_tag(8);
  ASSERT_TRUE(stream->Write(request));
  v1::AwaitTurnsResponse response;
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_EQ(response.results_size(), 1);
  EXPECT_EQ(response.results(0).tag(), 8U);
  EXPECT_THAT(response.results(0).error(), StartsWith("waiting_requests: 127.0.0.1 has 3"));
  expect_refused(await().status.get(), "waiting_requests");
  EXPECT_EQ(status_of("b").queue_size(), 3U) << "nothing was charged";
  // What has ended makes room.
  context.TryCancel();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::CANCELLED);
  EXPECT_TRUE(wait_until([&] {
    Call& again = await();
    return again.status.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready;
  }));
}

TEST_F(FewCalls, OpenCalls) {
  std::deque<grpc::ClientContext> contexts;
  std::deque<std::unique_ptr<
      grpc::ClientReaderWriter<v1::AllowRequestsRequest, v1::AllowRequestsResponse>>>
      streams;
  const auto open = [&] {
    streams.push_back(limiter_->AllowRequests(&contexts.emplace_back()));
    v1::AllowRequestsRequest request;
    request.add_entries()->set_bucket_id("b");
    v1::AllowRequestsResponse response;
    return streams.back()->Write(request) && streams.back()->Read(&response);
  };
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(open()) << i;
  EXPECT_FALSE(open());
  expect_refused(streams.back()->Finish(), "open_calls");
  for (grpc::ClientContext& context : contexts) context.TryCancel();
}

TEST_F(FewCalls, WatchedBuckets) {
  for (const char* id : {"c", "d", "e", "f"}) {
    configure(std::string("capacity: 1 leak_rate: 1 bucket_id: '") + id + "'");
  }
  const auto watch = [&](grpc::ClientContext& context, const std::string& filter) {
    return shaper_->WatchBuckets(
        &context, message<v1::WatchBucketsRequest>("interval_ms: 100 filter { " + filter + " }"));
  };
  v1::WatchBucketsResponse response;
  grpc::ClientContext all;
  const auto five = watch(all, "");
  ASSERT_TRUE(five->Read(&response));
  EXPECT_EQ(response.buckets_size(), 5);
  grpc::ClientContext one_more;
  const auto sixth = watch(one_more, "bucket_ids: 'c'");
  EXPECT_FALSE(sixth->Read(&response));
  expect_refused(sixth->Finish(), "watched_buckets");
  // One that is made meanwhile ends a stream that watches all.
  configure("bucket_id: 'g' capacity: 1 leak_rate: 1");
  while (five->Read(&response)) {
  }
  expect_refused(five->Finish(), "watched_buckets");
  grpc::ClientContext again;
  const auto few = watch(again, "bucket_ids: 'c'");
  EXPECT_TRUE(few->Read(&response));
  again.TryCancel();
}

class FewConnections : public NodeFixture {
 protected:
  static NodeOptions options() {
    NodeOptions options = default_options();
    options.server.connections_of_address = 3;
    return options;
  }
  FewConnections() : NodeFixture(options()) {}

  std::shared_ptr<grpc::Channel> connect() {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), own);
  }
  static bool answered(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
    v1::GetNodeResponse response;
    return v1::ShaperService::NewStub(channel)->GetNode(&context, {}, &response).ok();
  }
};

TEST_F(FewConnections, OneTooManyIsClosedUntilAnotherHasGone) {
  std::deque<std::shared_ptr<grpc::Channel>> channels;
  for (int i = 0; i < 3; ++i) {
    channels.push_back(connect());
    EXPECT_TRUE(answered(channels.back())) << i;
  }
  channels.push_back(connect());
  EXPECT_FALSE(answered(channels.back()));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(answered(channels[static_cast<std::size_t>(i)])) << i;
  channels.pop_front();
  EXPECT_TRUE(wait_until([&] { return answered(channels.back()); }));
}

}  // namespace
}  // namespace drip::control
