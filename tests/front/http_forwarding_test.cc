// SPDX-License-Identifier: BSD-3-Clause
// Requests by HTTP that another server of gRPC answers.
#include "front/http/http_forwarding.h"

#include <grpcpp/create_channel_posix.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "front/http/http_service.h"

namespace drip::front {
namespace {

class HttpForwarding : public testing::Test {
 protected:
  HttpForwarding() {
    grpc::ServerBuilder builder;
    builder.RegisterCallbackGenericService(&service_);
    server_ = builder.BuildAndStart();
    std::array<int, 2> ends{};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    grpc::AddInsecureChannelFromFd(server_.get(), ends[0]);
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomInsecureChannelFromFd("node", ends[1], arguments);
  }
  ~HttpForwarding() override { stop(); }
  void stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }
  http::Response ask(const std::string& server, const http::Request& request) {
    return forwarding_handler(channel_, server)(request);
  }

  HttpService service_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(HttpForwarding, RequestAndResponseAsTheyAre) {
  const std::string body = std::string("\0\xff{", 3) + std::string(8 << 20, 'b');
  http::Request seen;
  service_.add("page", [&](const http::Request& request) {
    EXPECT_EQ(request.path, "/a b\xff");
    EXPECT_EQ(request.query, "q=1&r=%20");
    EXPECT_EQ(request.header("authorization"), "Bearer x");
    EXPECT_EQ(request.header("Host"), "localhost:80");
    EXPECT_EQ(request.header("If-None-Match"), "\"e\"");
    EXPECT_EQ(request.header("Cookie"), "") << "nothing depends on it";
    return http::Response{201, "text/x", body, {{"Two", "1"}, {"Two", "2"}}};
  });
  service_.add("other", [](const http::Request&) { return http::Response{204, "", "", {}}; });
  const http::Response response = ask("page", {"/a b\xff",
                                               "q=1&r=%20",
                                               {{"Authorization", "Bearer x"},
                                                {"host", "localhost:80"},
                                                {"If-None-Match", "\"e\""},
                                                {"Cookie", "c"}}});
  EXPECT_EQ(response.code, 201);
  EXPECT_EQ(response.type, "text/x");
  EXPECT_EQ(response.body, body);
  ASSERT_EQ(response.headers.size(), 2U);
  EXPECT_EQ(response.headers[1].second, "2");
  EXPECT_EQ(ask("other", {"/", "", {}}).code, 204);
}

TEST_F(HttpForwarding, WhatNobodyAnswersIs503) {
  EXPECT_EQ(ask("page", {"/", "", {}}).code, 503);
  service_.add("page", [](const http::Request&) { return http::Response{}; });
  EXPECT_EQ(ask("page", {"/", "", {}}).code, 200);
  service_.remove("page");
  service_.remove("page");
  EXPECT_EQ(ask("page", {"/", "", {}}).code, 503);
  stop();
  EXPECT_EQ(ask("page", {"/", "", {}}).code, 503);
}

}  // namespace
}  // namespace drip::front
