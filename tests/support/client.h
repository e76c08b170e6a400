// SPDX-License-Identifier: BSD-3-Clause
// A gRPC client of dripd for tests: a call is one line, and one that fails ends the test.
#pragma once

#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>

#include "drip/v1/rate_limiter.grpc.pb.h"
#include "drip/v1/shaper.grpc.pb.h"

namespace drip {

/// On a connection of its own.
class Client {
 public:
  explicit Client(const std::string& address) : channel_(connect(address)) {}

  /// `method` is a method of one of the stubs, such as `&Limiter::AllowRequest`; `request` is the
  /// request in protobuf's text format.
  template <class Stub, class Request, class Reply>
  grpc::Status status_of(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                         const Request& request, Reply& reply) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return (Stub(channel_).*method)(&context, request, &reply);
  }
  template <class Stub, class Request, class Reply>
  Reply call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
             const Request& request) {
    Reply reply;
    const grpc::Status status = status_of(method, request, reply);
    if (!status.ok()) {
      throw std::runtime_error(request.GetTypeName() + ": " + status.error_message());
    }
    return reply;
  }
  template <class Stub, class Request, class Reply>
  Reply call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
             const std::string& text) {
    Request request;
    if (!google::protobuf::TextFormat::ParseFromString(text, &request)) {
      throw std::runtime_error("not a " + request.GetTypeName() + ": " + text);
    }
    return call(method, request);
  }

  v1::AllowRequestResponse allow(const std::string& bucket_id) {
    v1::AllowRequestRequest request;
    request.set_bucket_id(bucket_id);
    return call(&v1::RateLimiterService::Stub::AllowRequest, request);
  }
  v1::Bucket bucket(const std::string& bucket_id) {
    v1::GetBucketStatusRequest request;
    request.set_bucket_id(bucket_id);
    return call(&v1::RateLimiterService::Stub::GetBucketStatus, request).bucket();
  }
  void configure(const std::string& bucket_id, std::uint64_t capacity, double leak_rate) {
    v1::ConfigureBucketRequest request;
    request.set_bucket_id(bucket_id);
    request.set_capacity(capacity);
    request.set_leak_rate(leak_rate);
    call(&v1::RateLimiterService::Stub::ConfigureBucket, request);
  }
  [[nodiscard]] const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  static std::shared_ptr<grpc::Channel> connect(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }

  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace drip
