// SPDX-License-Identifier: BSD-3-Clause
// Calls of all kinds through the proxy: each as a stream, and as a unary call, which goes another
// way through it.
#include "front/proxy/call_proxy.h"

#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <vector>

#include "control/origin/forwarded_origin.h"
#include "front/proxy_fixture.h"
#include "support/wait_until.h"

namespace drip::front {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kStream = "/drip.v1.Test/Any";
constexpr const char* kUnary = "/drip.v1.RateLimiterService/AllowRequest";

// What one call is to do, in the order of its events.
class Steps final : public grpc::ServerGenericBidiReactor {
 public:
  struct Behaviour {
    std::function<void(Steps&)> begin = [](Steps& steps) { steps.read(); };
    std::function<void(Steps&, const std::string&)> message = [](Steps&, const std::string&) {};
    std::function<void(Steps&)> end_of_messages = [](Steps& steps) {
      steps.Finish(grpc::Status::OK);
    };
    std::function<void(Steps&)> written = [](Steps& steps) { steps.read(); };
    std::function<void(Steps&)> cancelled = [](Steps&) {};
  };
  Steps(grpc::GenericCallbackServerContext* the_call, Behaviour behaviour)
      : call(the_call), behaviour_(std::move(behaviour)) {
    behaviour_.begin(*this);
  }
  void read() { StartRead(&request_); }
  void write(const std::string& text) {
    response_ = buffer_of(text);
    StartWrite(&response_);
  }
  void write_and_finish(const std::string& text, const grpc::Status& status) {
    response_ = buffer_of(text);
    StartWriteAndFinish(&response_, grpc::WriteOptions(), status);
  }

  grpc::GenericCallbackServerContext* call;

 private:
  void OnReadDone(bool ok) override {
    if (ok) return behaviour_.message(*this, text_of(request_));
    behaviour_.end_of_messages(*this);
  }
  void OnWriteDone(bool ok) override {
    if (ok) behaviour_.written(*this);
  }
  void OnCancel() override { behaviour_.cancelled(*this); }
  void OnDone() override { delete this; }

  Behaviour behaviour_;
  grpc::ByteBuffer request_, response_;
};

class CallProxyTest : public ProxyFixture {
 protected:
  void answer_with(Steps::Behaviour behaviour) {
    backend_.make = [behaviour](grpc::GenericCallbackServerContext* call) {
      return new Steps(call, behaviour);
    };
  }
  // Answers each message with itself.
  void echo() {
    answer_with({.message = [](Steps& steps, const std::string& text) { steps.write(text); }});
  }
};

TEST_F(CallProxyTest, StreamsInBothDirections) {
  echo();
  GenericCall call(channel_, kStream);
  for (int i = 0; i < 200; ++i) {
    const std::string text = std::to_string(i) + std::string(i * 100, 'x');
    ASSERT_TRUE(call.write(text));
    ASSERT_EQ(call.read(), text);
  }
  ASSERT_TRUE(call.end_writes());
  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_TRUE(call.finish().ok());
}

TEST_F(CallProxyTest, ManyMessagesOneWayThenOneTheOther) {
  std::atomic<int> messages = 0;
  answer_with({.message = [&](Steps& steps, const std::string&) { ++messages, steps.read(); },
               .end_of_messages =
                   [&](Steps& steps) {
                     steps.write_and_finish(std::to_string(messages.load()), grpc::Status::OK);
                   }});
  GenericCall call(channel_, kStream);
  for (int i = 0; i < 500; ++i) ASSERT_TRUE(call.write("m"));
  ASSERT_TRUE(call.end_writes());
  EXPECT_EQ(call.read(), "500");
  EXPECT_EQ(call.read(), std::nullopt);
  EXPECT_TRUE(call.finish().ok());
}

TEST_F(CallProxyTest, OneMessageThenAStreamOfAnswersThatTheNodeEnds) {
  auto left = std::make_shared<std::atomic<int>>(500);
  answer_with({.message = [](Steps& steps, const std::string&) { steps.write("answer"); },
               .written =
                   [left](Steps& steps) {
                     if (--*left > 0) return steps.write("answer");
                     steps.Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "no more"});
                   }});
  GenericCall call(channel_, kStream);
  ASSERT_TRUE(call.write("go"));
  int answers = 0;
  while (call.read()) ++answers;
  EXPECT_EQ(answers, 500);
  // The client has not ended its half.
  const grpc::Status status = call.finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "no more");
}

TEST_F(CallProxyTest, LargeMessages) {
  echo();
  const std::string text(3 << 20, 'y');
  for (const char* const method : {kStream, kUnary}) {
    backend_.make = [&](grpc::GenericCallbackServerContext* call) {
      return new Steps(call, {.message = [](Steps& steps, const std::string& message) {
                         steps.write_and_finish(message, grpc::Status::OK);
                       }});
    };
    GenericCall call(channel_, method);
    ASSERT_TRUE(call.write(text));
    ASSERT_TRUE(call.end_writes());
    EXPECT_EQ(call.read(), text) << method;
    EXPECT_TRUE(call.finish().ok());
  }
}

TEST_F(CallProxyTest, StatusDetailsAndMetadataComeBack) {
  for (const char* const method : {kStream, kUnary}) {
    answer_with({.message = [](Steps& steps, const std::string&) {
      steps.call->AddInitialMetadata("first", "a");
      steps.call->AddTrailingMetadata("last-bin", std::string("\0\xff", 2));
      steps.Finish(
          {grpc::StatusCode::FAILED_PRECONDITION, "why \xc3\xa4", std::string("\1\0d", 3)});
    }});
    GenericCall call(channel_, method);
    ASSERT_TRUE(call.write("q"));
    EXPECT_EQ(call.read(), std::nullopt);
    const grpc::Status status = call.finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION) << method;
    EXPECT_EQ(status.error_message(), "why \xc3\xa4");
    EXPECT_EQ(status.error_details(), std::string("\1\0d", 3));
    EXPECT_EQ(call.trailing("last-bin"), std::string("\0\xff", 2));
  }
  answer_with({.begin =
                   [](Steps& steps) {
                     steps.call->AddInitialMetadata("first", "a");
                     steps.StartSendInitialMetadata();
                     steps.read();
                   },
               .message = [](Steps& steps, const std::string& text) { steps.write(text); }});
  GenericCall call(channel_, kStream);
  ASSERT_TRUE(call.write("q"));
  EXPECT_EQ(call.read(), "q");
  EXPECT_EQ(call.initial("first"), "a");
}

// The deadline is the caller's, and whoever cancels is told of by the node's own call.
TEST_F(CallProxyTest, DeadlinesAndCancellationReachTheNode) {
  for (const char* const method : {kStream, kUnary}) {
    std::atomic<int> begun = 0, cancelled = 0;
    std::atomic<std::int64_t> left_ms = 0;
    answer_with({.message =
                     [&](Steps& steps, const std::string&) {
                       left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                     steps.call->deadline() - std::chrono::system_clock::now())
                                     .count();
                       ++begun;
                     },
                 .cancelled =
                     [&](Steps& steps) {
                       ++cancelled;
                       steps.Finish(grpc::Status::CANCELLED);
                     }});
    {
      GenericCall call(channel_, method, std::chrono::milliseconds(300));
      ASSERT_TRUE(call.write("q"));
      EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << method;
      EXPECT_TRUE(wait_until([&] { return cancelled == 1; })) << method;
      EXPECT_LE(left_ms, 300);
    }
    GenericCall call(channel_, method, std::chrono::hours(1));
    ASSERT_TRUE(call.write("q"));
    ASSERT_TRUE(wait_until([&] { return begun == 2; }));
    EXPECT_GT(left_ms, 3'000'000);
    call.context.TryCancel();
    EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::CANCELLED) << method;
    EXPECT_TRUE(wait_until([&] { return cancelled == 2; })) << method;
  }
}

// A client that is gone, without a word.
TEST_F(CallProxyTest, AConnectionThatBreaksCancels) {
  std::atomic<int> begun = 0, cancelled = 0;
  answer_with({.message = [&](Steps&, const std::string&) { ++begun; },
               .cancelled =
                   [&](Steps& steps) {
                     ++cancelled;
                     steps.Finish(grpc::Status::CANCELLED);
                   }});
  GenericCall stream(channel_, kStream);
  GenericCall unary(channel_, kUnary);
  ASSERT_TRUE(stream.write("q"));
  ASSERT_TRUE(unary.write("q"));
  ASSERT_TRUE(wait_until([&] { return begun == 2; }));
  front_server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_TRUE(wait_until([&] { return cancelled == 2; }));
  EXPECT_FALSE(stream.finish().ok());
  EXPECT_FALSE(unary.finish().ok());
}

TEST_F(CallProxyTest, TheEndOfTheNodeIsUnavailable) {
  std::atomic<int> begun = 0;
  answer_with({.message = [&](Steps&, const std::string&) { ++begun; },
               .cancelled = [](Steps& steps) { steps.Finish(grpc::Status::CANCELLED); }});
  GenericCall stream(channel_, kStream);
  GenericCall unary(channel_, kUnary);
  ASSERT_TRUE(stream.write("q"));
  ASSERT_TRUE(unary.write("q"));
  ASSERT_TRUE(wait_until([&] { return begun == 2; }));
  backend_server_->Shutdown(std::chrono::system_clock::now());
  EXPECT_FALSE(stream.finish().ok());
  EXPECT_FALSE(unary.finish().ok());
  backend_server_->Wait();
  backend_server_.reset();
  for (const char* const method : {kStream, kUnary}) {
    GenericCall call(channel_, method);
    (void)call.write("q");
    EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::UNAVAILABLE) << method;
  }
}

// A reader that does not read holds the node up; the proxy keeps no more than gRPC's windows.
TEST_F(CallProxyTest, AReaderThatDoesNotReadHoldsUpTheNode) {
  auto written = std::make_shared<std::atomic<int>>(0);
  const std::string text(64 << 10, 'z');
  answer_with({.message = [text](Steps& steps, const std::string&) { steps.write(text); },
               .written =
                   [text, written](Steps& steps) {
                     ++*written;
                     steps.write(text);
                   },
               .cancelled = [](Steps& steps) { steps.Finish(grpc::Status::CANCELLED); }});
  GenericCall call(channel_, kStream);
  ASSERT_TRUE(call.write("go"));
  int before = -1;
  ASSERT_TRUE(wait_until([&] {
    const int now = written->load();
    const bool stands_still = now == std::exchange(before, now) && now > 0;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return stands_still;
  }));
  EXPECT_LT(before, 1000);
  EXPECT_EQ(call.read(), text);
}

TEST_F(CallProxyTest, OnlyMethodsOfTheApiArePassedOn) {
  echo();
  for (const char* const method : {"/drip.front.Http/Get", "/drip.v2.X/Y", "/other", "", "/drip.v1",
                                   "/grpc.health.v1.HealthX/Y"}) {
    GenericCall call(channel_, method);
    EXPECT_EQ(call.finish().error_code(), grpc::StatusCode::UNIMPLEMENTED) << method;
  }
  GenericCall health(channel_, "/grpc.health.v1.Health/Check");
  ASSERT_TRUE(health.write("h"));
  EXPECT_EQ(health.read(), "h");
}

// Whoever claims to be somebody else by the metadata of the socket gains nothing.
TEST_F(CallProxyTest, TheOriginIsThatOfTheConnection) {
  for (const char* const method : {kStream, kUnary}) {
    std::optional<control::CallOrigin> origin;
    std::multimap<std::string, std::string> seen;
    answer_with({.message = [&](Steps& steps, const std::string& text) {
      origin = control::forwarded_origin(*steps.call);
      for (const auto& [key, value] : steps.call->client_metadata()) {
        seen.emplace(std::string(key.data(), key.size()), std::string(value.data(), value.size()));
      }
      steps.write_and_finish(text, grpc::Status::OK);
    }});
    GenericCall call(channel_, method, std::chrono::seconds(20),
                     {{"authorization", "Bearer x"},
                      {"authorization", "Bearer y"},
                      {"custom-bin", std::string("\0\1", 2)},
                      {"drip-origin-peer-bin", "unix:"},
                      {"drip-origin-tls", "1"},
                      {"drip-origin-certificate", "1"},
                      {"drip-origin-common-name-bin", "admin"},
                      {"drip-origin-new", "1"}});
    ASSERT_TRUE(call.write("q"));
    ASSERT_EQ(call.read(), "q");
    EXPECT_TRUE(call.finish().ok());
    ASSERT_TRUE(origin) << method;
    EXPECT_THAT(origin->peer, StartsWith("ipv4:127.0.0.1:"));
    EXPECT_FALSE(origin->is_tls);
    EXPECT_FALSE(origin->certificate);
    EXPECT_EQ(seen.count("authorization"), 2U);
    EXPECT_EQ(seen.find("custom-bin")->second, std::string("\0\1", 2));
    EXPECT_EQ(seen.count("drip-origin-peer-bin"), 1U);
    EXPECT_EQ(seen.count("drip-origin-new"), 0U);
    EXPECT_EQ(seen.count("drip-origin-common-name-bin"), 0U);
  }
}

}  // namespace
}  // namespace drip::front
