// SPDX-License-Identifier: BSD-3-Clause
// A server with both services of the API that records requests and sends prepared replies.
#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace drip {

// The requests that arrived, and the replies to send, by message type.
class Script {
 public:
  // Replies of a type are sent in the order in which they were added; the last one is repeated.
  template <typename Reply>
  void reply(const Reply& message) {
    const std::lock_guard lock(mutex_);
    replies_[Reply::descriptor()].push_back(std::make_unique<Reply>(message));
  }
  // Every call from now on ends with `status`.
  void fail(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    status_ = status;
  }

  // The next call with a Request ends with `status`.
  template <typename Request>
  void fail_next(const grpc::Status& status) {
    const std::lock_guard lock(mutex_);
    next_status_[Request::descriptor()] = status;
  }

  // All requests of one type so far.
  template <typename Request>
  std::vector<Request> asked() const {
    const std::lock_guard lock(mutex_);
    std::vector<Request> requests;
    for (const auto& request : requests_) {
      if (request->GetDescriptor() != Request::descriptor()) continue;
      requests.push_back(static_cast<const Request&>(*request));
    }
    return requests;
  }
  std::size_t calls() const {
    const std::lock_guard lock(mutex_);
    return requests_.size();
  }

  template <typename Request, typename Reply>
  grpc::Status answer(const Request* request, Reply* reply) {
    const grpc::Status status = take(request);
    const std::lock_guard lock(mutex_);
    auto& replies = replies_[Reply::descriptor()];
    if (status.ok() && !replies.empty()) {
      reply->CopyFrom(*replies.front());
      if (replies.size() > 1) replies.pop_front();
    }
    return status;
  }
  // Records the request and returns the status of its call.
  template <typename Request>
  grpc::Status take(const Request* request) {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::make_unique<Request>(*request));
    const auto next = next_status_.extract(Request::descriptor());
    return next.empty() ? status_ : next.mapped();
  }
  // What WatchBuckets is to send.
  std::vector<v1::WatchBucketsResponse> states() const;

  // AwaitTurn, and WatchBuckets after its last state, wait until the client cancels the call.
  std::atomic<bool> hold = false;
  // How many of those calls were cancelled.
  std::atomic<int> cancelled = 0;

 private:
  mutable std::mutex mutex_;
  grpc::Status status_;
  std::map<const google::protobuf::Descriptor*, grpc::Status> next_status_;
  std::vector<std::unique_ptr<google::protobuf::Message>> requests_;
  std::map<const google::protobuf::Descriptor*,
           std::deque<std::unique_ptr<google::protobuf::Message>>>
      replies_;
};

class FakeServer {
 public:
  // `unix:PATH`, or by default a free port of the loopback.
  explicit FakeServer(const std::string& address = "127.0.0.1:0");
  ~FakeServer();

  const std::string& address() const { return address_; }
  Script* operator->() { return &script_; }

 private:
  class RateLimiter;
  class Shaper;

  Script script_;
  std::unique_ptr<RateLimiter> rate_limiter_;
  std::unique_ptr<Shaper> shaper_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace drip
