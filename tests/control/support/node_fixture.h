// SPDX-License-Identifier: BSD-3-Clause
// A node on the fake engine, served over real gRPC in this process, and a client of it.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "control/server/node.h"
#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"
#include "fake_engine.h"
#include "messages.h"
#include "support/wait_until.h"

namespace drip::control {

inline constexpr Duration kSecond{1'000'000'000};

class NodeFixture : public testing::Test {
 protected:
  static NodeOptions default_options() {
    NodeOptions options;
    options.node_id = "n1";
    options.version = "1.2.3";
    options.dpdk_version = "DPDK 0";
    options.advertise_address = "node.example:50051";
    options.max_requests = 1000;
    options.warnings = {"no hugepages"};
    options.server.addresses = {"127.0.0.1:0"};
    return options;
  }
  explicit NodeFixture(NodeOptions options = default_options()) {
    auto node = Node::create(engine_, std::move(options));
    EXPECT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
    const absl::Status started = node_->start();
    EXPECT_TRUE(started.ok()) << started;
    address_ = "127.0.0.1:" + std::to_string(node_->ports().front());
    channel_ = grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    limiter_ = v1::RateLimiterService::NewStub(channel_);
    shaper_ = v1::ShaperService::NewStub(channel_);
  }
  ~NodeFixture() override {
    (void)engine_.drain_and_stop({});
    node_->stop(std::chrono::milliseconds(100));
  }

  /// Calls stub.method(request): the reply, and the status in `status_`.
  template <typename Stub, typename Request, typename Reply>
  Reply call(Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
             const std::string& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    Reply reply;
    status_ = (stub.*method)(&context, message<Request>(request), &reply);
    return reply;
  }
  v1::AllowRequestResponse allow(const std::string& request) {
    return call(*limiter_, &v1::RateLimiterService::Stub::AllowRequest, request);
  }
  v1::ConfigureBucketResponse configure(const std::string& request) {
    return call(*limiter_, &v1::RateLimiterService::Stub::ConfigureBucket, request);
  }
  v1::Bucket status_of(const std::string& bucket_id) {
    return call(*limiter_, &v1::RateLimiterService::Stub::GetBucketStatus,
                "bucket_id: '" + bucket_id + "'")
        .bucket();
  }
  v1::DeleteBucketResponse remove(const std::string& request) {
    return call(*limiter_, &v1::RateLimiterService::Stub::DeleteBucket, request);
  }

  void expect_ok() const { EXPECT_TRUE(status_.ok()) << status_.error_message(); }
  void expect_error(grpc::StatusCode code, const std::string& text) const {
    EXPECT_EQ(status_.error_code(), code) << status_.error_message();
    EXPECT_EQ(status_.error_message(), text);
  }

  FakeEngine engine_;
  std::unique_ptr<Node> node_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::RateLimiterService::Stub> limiter_;
  std::unique_ptr<v1::ShaperService::Stub> shaper_;
  grpc::Status status_;
};

}  // namespace drip::control
