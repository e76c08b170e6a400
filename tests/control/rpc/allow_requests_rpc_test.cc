// SPDX-License-Identifier: BSD-3-Clause
// AllowRequests over real gRPC: entries decided each by itself, answers in order, the stream's end.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "control/support/node_fixture.h"

namespace drip::control {
namespace {

class AllowRequestsRpc : public NodeFixture {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::AllowRequestsRequest, v1::AllowRequestsResponse>;

  void SetUp() override {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    stream_ = limiter_->AllowRequests(&context_);
  }
  v1::AllowRequestsResponse say(const std::string& text) {
    EXPECT_TRUE(stream_->Write(message<v1::AllowRequestsRequest>(text)));
    v1::AllowRequestsResponse response;
    EXPECT_TRUE(stream_->Read(&response));
    return response;
  }
  grpc::Status end() {
    stream_->WritesDone();
    v1::AllowRequestsResponse response;
    EXPECT_FALSE(stream_->Read(&response));
    return stream_->Finish();
  }

  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
};

TEST_F(AllowRequestsRpc, EachEntryIsAnsweredByItself) {
  configure("bucket_id: 'a' capacity: 5 leak_rate: 10");
  configure("bucket_id: 'b' capacity: 100 leak_rate: 10");
  const v1::AllowRequestsResponse response = say(R"(
      entries { bucket_id: 'a' count: 3 }
      entries { request_id: 'named' }
      entries { count: 3 }
      entries { bucket_id: 'none' }
      entries { count: 2 }
      entries { bucket_id: 'b' count: 1025 }
      entries { request_id: 'x' count: 2 }
      entries { count: 20 all_or_none: true }
      entries { count: 81 all_or_none: true })");
  ASSERT_EQ(response.results_size(), 9);
  EXPECT_EQ(response.results(0).admitted(), 3U);
  EXPECT_EQ(response.results(0).queue_position(), 1U);
  EXPECT_EQ(response.results(1).admitted(), 1U);
  EXPECT_EQ(response.results(1).queue_position(), 4U);
  EXPECT_EQ(response.results(1).estimated_wait_ns(), 300'000'000);
  EXPECT_EQ(response.results(2).admitted(), 1U);
  EXPECT_EQ(response.results(2).reason(), v1::REJECT_REASON_FULL);
  EXPECT_EQ(response.results(3).code(), grpc::NOT_FOUND);
  EXPECT_EQ(response.results(3).error(), "entries[3].bucket_id: no bucket is named \"none\"");
  EXPECT_EQ(response.results(4).code(), grpc::NOT_FOUND) << "it means the bucket before it";
  EXPECT_EQ(response.results(5).error(),
            "entries[5].count: 1025 is not allowed: 0 to 1024 units (0: one)");
  EXPECT_EQ(response.results(6).error(),
            "entries[6].count: 2 is not allowed: 0 or 1 with a request_id");
  EXPECT_EQ(response.results(7).admitted(), 20U);
  EXPECT_EQ(response.results(7).code(), grpc::OK);
  EXPECT_EQ(response.results(8).admitted(), 0U);
  EXPECT_EQ(response.results(8).reason(), v1::REJECT_REASON_FULL);
  EXPECT_TRUE(end().ok());
  EXPECT_EQ(status_of("a").queue_size(), 5U);
  EXPECT_EQ(status_of("a").rejected_requests(), 2U);
  EXPECT_EQ(status_of("b").queue_size(), 20U);
  EXPECT_EQ(status_of("b").rejected_requests(), 81U);
}

TEST_F(AllowRequestsRpc, ANameIsChargedOnceWithinAMessageAndBetweenCalls) {
  configure("bucket_id: 'b' capacity: 100 leak_rate: 10");
  EXPECT_TRUE(allow("bucket_id: 'b' request_id: 'first'").allowed());
  const v1::AllowRequestsResponse response = say(R"(
      entries { bucket_id: 'b' request_id: 'first' }
      entries { request_id: 'second' }
      entries { request_id: 'second' }
      entries { request_id: 'third' })");
  ASSERT_EQ(response.results_size(), 4);
  EXPECT_TRUE(response.results(0).duplicate());
  EXPECT_EQ(response.results(0).queue_position(), 1U);
  EXPECT_FALSE(response.results(1).duplicate());
  EXPECT_TRUE(response.results(2).duplicate());
  EXPECT_EQ(response.results(2).queue_position(), 2U);
  EXPECT_EQ(response.results(3).queue_position(), 3U);
  EXPECT_TRUE(allow("bucket_id: 'b' request_id: 'third'").duplicate());
  EXPECT_EQ(status_of("b").queue_size(), 3U);
  EXPECT_TRUE(end().ok());
}

TEST_F(AllowRequestsRpc, EntriesMayBeShortOfWaitLooksAndRemembered) {
  configure("bucket_id: 'b' capacity: 100 leak_rate: 10");
  v1::AllowRequestsResponse response = say(R"(
      entries { bucket_id: 'b' count: 10 max_wait_ns: 300000000 }
      entries { request_id: 'x' max_wait_ns: 399999999 }
      entries { count: 1000 peek: true }
      entries { request_id: 'x' peek: true }
      entries { request_id: 'x' remember_ns: 1000000000 }
      entries { request_id: 'x' peek: true }
      entries { count: 2 remember_ns: 1 })");
  ASSERT_EQ(response.results_size(), 7);
  EXPECT_EQ(response.results(0).admitted(), 4U);
  EXPECT_EQ(response.results(0).reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  EXPECT_EQ(response.results(1).admitted(), 0U);
  EXPECT_EQ(response.results(1).reason(), v1::REJECT_REASON_WAIT_TOO_LONG);
  EXPECT_EQ(response.results(1).estimated_wait_ns(), 400'000'000);
  EXPECT_EQ(response.results(2).admitted(), 96U);
  EXPECT_EQ(response.results(2).queue_position(), 5U);
  EXPECT_EQ(response.results(3).admitted(), 1U);
  EXPECT_FALSE(response.results(3).duplicate());
  EXPECT_EQ(response.results(4).queue_position(), 5U);
  EXPECT_FALSE(response.results(4).duplicate());
  EXPECT_TRUE(response.results(5).duplicate());
  EXPECT_EQ(response.results(6).error(),
            "entries[6].remember_ns: 1 is not allowed: 0 without a request_id");
  EXPECT_EQ(status_of("b").queue_size(), 5U);
  EXPECT_EQ(status_of("b").rejected_wait_too_long(), 7U);
  EXPECT_EQ(status_of("b").rejected_requests(), 7U);
  engine_.advance(kSecond);
  response = say("entries { bucket_id: 'b' request_id: 'x' }");
  EXPECT_TRUE(response.results(0).duplicate());
  EXPECT_EQ(response.results(0).admitted(), 1U);
  EXPECT_EQ(response.results(0).queue_position(), 0U);
  EXPECT_EQ(status_of("b").allowed_requests(), 5U);
  EXPECT_TRUE(end().ok());
}

TEST_F(AllowRequestsRpc, ANameWithoutRoomIsAnErrorOfItsEntry) {
  configure("bucket_id: 'b' capacity: 5000 leak_rate: 1");
  for (int i = 0; i < 1000; ++i) allow("bucket_id: 'b'");
  const v1::AllowRequestsResponse response = say(R"(
      entries { bucket_id: 'b' }
      entries { request_id: 'too-many' }
      entries { count: 4 })");
  EXPECT_EQ(response.results(0).admitted(), 1U) << "units without a name take no record";
  EXPECT_EQ(response.results(1).code(), grpc::RESOURCE_EXHAUSTED);
  EXPECT_EQ(response.results(2).queue_position(), 1002U);
}

TEST_F(AllowRequestsRpc, UnitsWithoutANameAreNotListedAndCountAhead) {
  configure("bucket_id: 'b' capacity: 100 leak_rate: 10");
  say("entries { bucket_id: 'b' count: 10 } entries { request_id: 'r' }");
  v1::GetQueuedRequestsResponse queued =
      call(*limiter_, &v1::RateLimiterService::Stub::GetQueuedRequests, "bucket_id: 'b'");
  ASSERT_EQ(queued.requests_size(), 1);
  EXPECT_EQ(queued.requests(0).queue_position(), 11U);
  engine_.advance(kSecond);
  EXPECT_EQ(status_of("b").processed_requests(), 10U);
  queued = call(*limiter_, &v1::RateLimiterService::Stub::GetQueuedRequests, "bucket_id: 'b'");
  EXPECT_EQ(queued.requests(0).queue_position(), 1U);
}

TEST_F(AllowRequestsRpc, AMessageOfNoEntriesOrTooManyEndsTheStream) {
  configure("bucket_id: 'b' capacity: 5000 leak_rate: 10");
  v1::AllowRequestsRequest request;
  for (int i = 0; i < 1025; ++i) request.add_entries()->set_bucket_id("b");
  stream_->Write(request);
  v1::AllowRequestsResponse response;
  EXPECT_FALSE(stream_->Read(&response));
  const grpc::Status status = stream_->Finish();
  EXPECT_EQ(status.error_code(), grpc::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "entries: 1025 is not allowed: 1 to 1024 in a message");
  EXPECT_EQ(status_of("b").total_requests(), 0U);
}

// The caller writes all before it reads anything: the server holds back, and loses nothing.
TEST_F(AllowRequestsRpc, AnswersComeInOrderAtTheCallersPace) {
  configure("bucket_id: 'b' capacity: 1048576 leak_rate: 1");
  constexpr int kMessages = 3000;
  std::thread writer([this] {
    v1::AllowRequestsRequest request;
    request.add_entries()->set_bucket_id("b");
    for (int i = 0; i < kMessages; ++i) {
      request.mutable_entries(0)->set_count(static_cast<std::uint32_t>(i % 7 + 1));
      if (!stream_->Write(request)) break;
    }
    stream_->WritesDone();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  v1::AllowRequestsResponse response;
  std::uint64_t position = 1;
  int messages = 0;
  for (; stream_->Read(&response); ++messages) {
    ASSERT_EQ(response.results_size(), 1);
    EXPECT_EQ(response.results(0).queue_position(), position);
    position += static_cast<std::uint64_t>(messages % 7 + 1);
  }
  writer.join();
  EXPECT_EQ(messages, kMessages);
  EXPECT_TRUE(stream_->Finish().ok());
}

TEST_F(AllowRequestsRpc, AStopEndsStreamsAndTakesNoNewOnes) {
  configure("bucket_id: 'b' capacity: 100 leak_rate: 10");
  EXPECT_EQ(say("entries { bucket_id: 'b' }").results(0).admitted(), 1U);
  (void)engine_.drain_and_stop({});
  node_->stop(std::chrono::seconds(20));
  v1::AllowRequestsResponse response;
  EXPECT_FALSE(stream_->Read(&response));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::UNAVAILABLE);
}

// Buckets come and go under streams: no entry is admitted into one that was deleted (the engine
// would see it), and no deletion hangs.
TEST_F(AllowRequestsRpc, DeletionsUnderLoad) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      grpc::ClientContext context;
      const auto stream = limiter_->AllowRequests(&context);
      v1::AllowRequestsRequest request;
      for (int i = 0; i < 64; ++i) {
        v1::AllowRequestsEntry& entry = *request.add_entries();
        entry.set_bucket_id(i % 2 == 0 ? "even" : "odd");
        if (i % 3 == 0) entry.set_request_id("r" + std::to_string(caller * 1000 + i));
      }
      v1::AllowRequestsResponse response;
      while (!stop && stream->Write(request) && stream->Read(&response)) {
        EXPECT_EQ(response.results_size(), 64);
      }
      stream->WritesDone();
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
  for (int i = 0; i < 100; ++i) {
    const std::string id = i % 2 == 0 ? "even" : "odd";
    configure("bucket_id: '" + id + "' capacity: 100 leak_rate: 1000");
    expect_ok();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    remove("bucket_id: '" + id + "' mode: DELETE_MODE_DROP");
    expect_ok();
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace drip::control
