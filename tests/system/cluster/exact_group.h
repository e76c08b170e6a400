// SPDX-License-Identifier: BSD-3-Clause
// What the tests of exact buckets have in common: setting one, and calls on it.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "nodes/node_group.h"

namespace drip {

inline v1::ConfigureBucketRequest exact_bucket(
    const std::string& id, std::uint64_t capacity, double rate,
    v1::FailurePolicy policy = v1::FAILURE_POLICY_UNSPECIFIED) {
  v1::ConfigureBucketRequest request;
  request.set_bucket_id(id);
  request.set_capacity(capacity);
  request.set_leak_rate(rate);
  request.set_scope(v1::SCOPE_CLUSTER);
  request.set_sharing(v1::SHARING_EXACT);
  request.set_failure_policy(policy);
  // What is not about failures must not fail on a machine that stalls.
  request.set_decide_within_ns(10'000'000'000);
  return request;
}

/// Sets it through `node` and waits until all nodes have it so.
inline void set_exact_bucket(const ClusterNodes& nodes, ClusterNode& node,
                             const v1::ConfigureBucketRequest& request) {
  std::uint64_t revision = 0;
  wait_until("the cluster takes " + request.bucket_id(), [&] {
    v1::ConfigureBucketResponse reply;
    if (!node.client().status_of(&Limiter::ConfigureBucket, request, reply).ok()) return false;
    revision = reply.bucket().revision();
    return true;
  });
  wait_until("all have " + request.bucket_id(), [&] {
    for (const auto& each : nodes) {
      v1::GetBucketStatusRequest ask;
      ask.set_bucket_id(request.bucket_id());
      v1::GetBucketStatusResponse reply;
      if (!each->client().status_of(&Limiter::GetBucketStatus, ask, reply).ok()) return false;
      if (reply.bucket().revision() < revision) return false;
    }
    return true;
  });
}

inline grpc::Status try_allow(ClusterNode& node, const std::string& bucket_id,
                              const std::string& request_id, v1::AllowRequestResponse& reply) {
  v1::AllowRequestRequest request;
  request.set_bucket_id(bucket_id);
  request.set_request_id(request_id);
  return node.client().status_of(&Limiter::AllowRequest, request, reply);
}

inline v1::AllowRequestResponse allow_named(ClusterNode& node, const std::string& bucket_id,
                                            const std::string& request_id) {
  v1::AllowRequestResponse reply;
  const grpc::Status status = try_allow(node, bucket_id, request_id, reply);
  EXPECT_TRUE(status.ok()) << node.id() << ": " << status.error_message();
  return reply;
}

/// One AwaitTurn that is under way.
class Awaited {
 public:
  Awaited(ClusterNode& node, const std::string& bucket_id, const std::string& request_id,
          bool release_on_cancel = false)
      : channel_(node.client().channel()) {
    request_.set_bucket_id(bucket_id);
    request_.set_request_id(request_id);
    request_.set_release_on_cancel(release_on_cancel);
    // Beyond every wait of these tests: one that cannot end by the deadline would not be admitted.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::hours(1));
    result_ = std::async(std::launch::async, [this] {
      return v1::RateLimiterService::Stub(channel_).AwaitTurn(&context_, request_, &response_);
    });
  }
  void cancel() { context_.TryCancel(); }
  [[nodiscard]] bool waits() const {
    return result_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  }
  grpc::Status status() { return result_.get(); }
  [[nodiscard]] const v1::AwaitTurnResponse& response() const { return response_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  grpc::ClientContext context_;
  v1::AwaitTurnRequest request_;
  v1::AwaitTurnResponse response_;
  std::future<grpc::Status> result_;
};

/// Who waits, first to last, as `node` tells it, by pages of `page_size`.
inline std::vector<v1::QueuedRequest> queued(ClusterNode& node, const std::string& bucket_id,
                                             std::uint32_t page_size = 100) {
  std::vector<v1::QueuedRequest> all;
  v1::GetQueuedRequestsRequest request;
  request.set_bucket_id(bucket_id);
  request.set_page_size(page_size);
  do {
    const v1::GetQueuedRequestsResponse page =
        node.client().call(&Limiter::GetQueuedRequests, request);
    all.insert(all.end(), page.requests().begin(), page.requests().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

inline std::size_t times(const std::string& text, const std::string& log) {
  std::size_t count = 0;
  for (std::size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) {
    ++count;
  }
  return count;
}

}  // namespace drip
