// SPDX-License-Identifier: BSD-3-Clause
// AwaitTurns over real gRPC: a result for each entry as its request leaves, the stream's end,
// bounds.
#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "control/rpc/streams/turn_stream.h"
#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

class AwaitTurnsRpc : public NodeFixture {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>;

  void SetUp() override {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    stream_ = limiter_->AwaitTurns(&context_);
  }
  void TearDown() override {
    context_.TryCancel();
    if (!ended_) (void)stream_->Finish();
  }
  void say(const std::string& text) {
    ASSERT_TRUE(stream_->Write(message<v1::AwaitTurnsRequest>(text)));
  }
  // The next `count` results by tag.
  std::map<std::uint64_t, v1::AwaitTurnsResult> read(std::size_t count) {
    std::map<std::uint64_t, v1::AwaitTurnsResult> results;
    while (results.size() < count) {
      v1::AwaitTurnsResponse response;
      if (!stream_->Read(&response)) {
        ADD_FAILURE() << "the stream ended after " << results.size() << " results";
        break;
      }
      EXPECT_LE(response.results_size(), 1024);
      for (const v1::AwaitTurnsResult& result : response.results()) {
        EXPECT_TRUE(results.emplace(result.tag(), result).second) << result.tag();
      }
    }
    return results;
  }
  grpc::Status end() {
    v1::AwaitTurnsResponse response;
    EXPECT_FALSE(stream_->Read(&response));
    ended_ = true;
    return stream_->Finish();
  }
  bool queued(const std::string& bucket, std::uint64_t count) {
    return wait_until([&] { return status_of(bucket).queue_size() == count; });
  }

  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  bool ended_ = false;
};

TEST_F(AwaitTurnsRpc, EachIsAnsweredWhenItLeaves) {
  configure("bucket_id: 'a' capacity: 10 leak_rate: 10");
  configure("bucket_id: 'b' capacity: 10 leak_rate: 5");
  say(R"(entries { bucket_id: 'b' request_id: 'slow' tag: 7 }
         entries { bucket_id: 'a' request_id: 'first' tag: 1 }
         entries { tag: 2 })");
  ASSERT_TRUE(queued("a", 2));
  engine_.advance(Duration{kSecond.ns / 10});
  const auto first = read(1);
  ASSERT_TRUE(first.contains(1));
  EXPECT_TRUE(first.at(1).turn().allowed());
  EXPECT_EQ(first.at(1).turn().request_id(), "first");
  EXPECT_EQ(first.at(1).turn().sojourn_ns(), 100'000'000);
  say("entries { bucket_id: 'a' tag: 3 }");
  stream_->WritesDone();
  ASSERT_TRUE(queued("a", 2));
  engine_.advance(Duration{kSecond.ns / 10});
  const auto next = read(2);
  EXPECT_TRUE(next.contains(2));
  EXPECT_TRUE(next.contains(7));
  engine_.advance(kSecond);
  EXPECT_EQ(read(1).at(3).code(), 0);
  EXPECT_TRUE(end().ok());
}

TEST_F(AwaitTurnsRpc, WhatDoesNotWaitIsAnsweredAtOnce) {
  configure("bucket_id: 'b' capacity: 2 leak_rate: 0.01");
  allow("bucket_id: 'b' request_id: 'x'");
  say(R"(entries { tag: 1 }
         entries { bucket_id: 'none' tag: 2 }
         entries { bucket_id: 'b' tag: 3 }
         entries { max_wait_ns: 1 tag: 4 }
         entries { request_id: '\x01' tag: 5 }
         entries { request_id: 'x' tag: 6 })");
  const auto results = read(5);
  EXPECT_EQ(results.at(1).code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(results.at(2).code(), grpc::NOT_FOUND);
  EXPECT_FALSE(results.at(2).has_turn());
  // By the deadline of the stream, and by its own limit.
  for (const std::uint64_t tag : {3U, 4U}) {
    EXPECT_EQ(results.at(tag).turn().reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
    EXPECT_EQ(results.at(tag).turn().estimated_wait_ns(), 100 * kSecond.ns);
  }
  EXPECT_EQ(results.at(5).code(), grpc::INVALID_ARGUMENT);
  stream_->WritesDone();
  engine_.advance(Duration{100 * kSecond.ns});
  EXPECT_TRUE(read(1).at(6).turn().duplicate());
  EXPECT_TRUE(end().ok());
}

TEST_F(AwaitTurnsRpc, ACancelReleasesThoseThatAskedForIt) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 10");
  say(R"(entries { bucket_id: 'b' request_id: 'stays' }
         entries { request_id: 'goes' release_on_cancel: true }
         entries { request_id: 'stays too' })");
  ASSERT_TRUE(queued("b", 3));
  context_.TryCancel();
  EXPECT_EQ(end().error_code(), grpc::CANCELLED);
  EXPECT_TRUE(queued("b", 2));
  EXPECT_EQ(status_of("b").dropped_requests(), 1U);
  EXPECT_EQ(allow("bucket_id: 'b' request_id: 'stays too'").queue_position(), 2U);
  EXPECT_FALSE(allow("bucket_id: 'b' request_id: 'goes'").duplicate());
}

TEST_F(AwaitTurnsRpc, AMessageOfNoEntriesOrTooManyEndsTheStream) {
  say("");
  const grpc::Status status = end();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "entries: 0 is not allowed: 1 to 1024 in a message");
}

TEST_F(AwaitTurnsRpc, AStopAnswersUnavailable) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 1");
  say("entries { bucket_id: 'b' tag: 1 }");
  ASSERT_TRUE(queued("b", 1));
  node_->stop(std::chrono::seconds(5));
  v1::AwaitTurnsResponse response;
  while (stream_->Read(&response)) {
    EXPECT_EQ(response.results(0).code(), grpc::UNAVAILABLE);
  }
  ended_ = true;
  EXPECT_EQ(stream_->Finish().error_code(), grpc::UNAVAILABLE);
}

TEST_F(AwaitTurnsRpc, SoManyMayWaitOnAStream) {
  configure("bucket_id: 'b' capacity: 10 leak_rate: 0.1");
  allow("bucket_id: 'b' request_id: 'x'");
  v1::AwaitTurnsRequest many;
  std::uint64_t tag = 0;
  for (std::size_t sent = 0; sent < kMaxTurnsOfAStream; sent += 1024) {
    many.Clear();
    for (int i = 0; i < 1024; ++i) {
      v1::AwaitTurnsEntry& entry = *many.add_entries();
      entry.set_bucket_id("b");
      entry.set_request_id("x");
      entry.set_tag(tag++);
    }
    ASSERT_TRUE(stream_->Write(many));
  }
  say("entries { bucket_id: 'b' tag: 1000000 }");
  const auto refused = read(1);
  EXPECT_EQ(refused.at(1'000'000).code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.at(1'000'000).error(), "entries: 65536 wait on this stream, as many as may");
  stream_->WritesDone();
  engine_.advance(Duration{10 * kSecond.ns});
  EXPECT_EQ(read(kMaxTurnsOfAStream).size(), kMaxTurnsOfAStream);
  EXPECT_TRUE(end().ok());
}

class FewOpenCalls : public NodeFixture {
 protected:
  static NodeOptions options() {
    NodeOptions options = default_options();
    options.server.open_calls = {4, 6};
    return options;
  }
  explicit FewOpenCalls(const NodeOptions& with = options()) : NodeFixture(with) {
    configure("bucket_id: 'b' capacity: 100 leak_rate: 1");
  }

  struct Call {
    grpc::ClientContext context;
    v1::AwaitTurnRequest request = message<v1::AwaitTurnRequest>("bucket_id: 'b'");
    v1::AwaitTurnResponse reply;
    std::promise<grpc::Status> done;
    std::future<grpc::Status> status = done.get_future();
  };
  Call& await(v1::RateLimiterService::Stub& stub, const std::string& request_id = "") {
    Call& call = calls_.emplace_back();
    call.request.set_request_id(request_id);
    stub.async()->AwaitTurn(&call.context, &call.request, &call.reply,
                            [&call](grpc::Status status) { call.done.set_value(status); });
    return call;
  }
  bool queued(std::uint64_t count) {
    return wait_until([&] { return status_of("b").queue_size() == count; });
  }
  ~FewOpenCalls() override {
    for (Call& call : calls_) call.context.TryCancel();
    for (Call& call : calls_) {
      if (call.status.valid()) call.status.wait();
    }
  }

  std::deque<Call> calls_;
};

TEST_F(FewOpenCalls, OneOverTheLimitIsRefusedAndNotHeldBack) {
  for (int i = 0; i < 4; ++i) await(*limiter_);
  ASSERT_TRUE(queued(4));
  grpc::Status status = await(*limiter_).status.get();
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(
      status.error_message(),
      "calls: 4 calls are open on this connection that wait for turns or are streams, as many "
      "as one may have; one call of AwaitTurns waits for many turns, and a channel of its own "
      "has a connection of its own");
  // Streams count as well; calls that are answered at once do not.
  grpc::ClientContext context;
  const auto stream = limiter_->AllowRequests(&context);
  EXPECT_EQ(stream->Finish().error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(allow("bucket_id: 'b'").allowed());
  EXPECT_EQ(status_of("b").queue_size(), 5U) << "nothing was charged";
  // Another connection has places of its own, as far as the node has.
  grpc::ChannelArguments own;
  own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const auto other = v1::RateLimiterService::NewStub(
      grpc::CreateCustomChannel(address_, grpc::InsecureChannelCredentials(), own));
  await(*other);
  await(*other);
  ASSERT_TRUE(queued(7));
  status = await(*other).status.get();
  EXPECT_EQ(status.error_code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_NE(status.error_message().find("6 calls are open on this node"), std::string::npos);
  // A place is free when its call has ended.
  calls_.front().context.TryCancel();
  EXPECT_EQ(calls_.front().status.get().error_code(), grpc::CANCELLED);
  EXPECT_TRUE(wait_until([&] {
    Call& again = await(*limiter_);
    return again.status.wait_for(std::chrono::milliseconds(50)) != std::future_status::ready;
  }));
}

class DefaultOpenCalls : public FewOpenCalls {
 protected:
  DefaultOpenCalls() : FewOpenCalls(default_options()) {}
  std::size_t ended() {
    return static_cast<std::size_t>(std::ranges::count_if(calls_, [](const Call& call) {
      return call.status.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }));
  }
};

TEST_F(DefaultOpenCalls, GrpcLetsAsManyThroughAsTheLimitSays) {
  allow("bucket_id: 'b' request_id: 'x'");
  constexpr std::size_t kMost = OpenCalls::Limits().connection;
  constexpr std::size_t kMore = 100;
  for (std::size_t i = 0; i < kMost + kMore; ++i) await(*limiter_, "x");
  // In whatever order gRPC's threads take them.
  EXPECT_TRUE(wait_until([&] { return ended() == kMore; })) << ended();
  EXPECT_TRUE(allow("bucket_id: 'b'").allowed());
  EXPECT_EQ(ended(), kMore);
  engine_.advance(kSecond);
  std::size_t refused = 0;
  for (Call& call : calls_) {
    const grpc::Status status = call.status.get();
    if (status.error_code() == grpc::RESOURCE_EXHAUSTED) {
      ++refused;
    } else {
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
  }
  EXPECT_EQ(refused, kMore);
}

}  // namespace
}  // namespace drip::control
