// SPDX-License-Identifier: BSD-3-Clause
// drip.v1.RateLimiterService: requests through leaky buckets.
#pragma once

#include "control/rpc/calls/services_context.h"
#include "control/rpc/calls/stream_set.h"
#include "drip/v1/rate_limiter.grpc.pb.h"

namespace drip::control {

/// See drip/v1/rate_limiter.proto for each call. No call blocks a gRPC thread for longer than the
/// polling thread takes to admit a request.
class RateLimiterService final : public v1::RateLimiterService::CallbackService {
 public:
  /// Both outlive the service.
  RateLimiterService(const ServicesContext& context, StreamSet& streams)
      : context_(context), streams_(streams) {}

  grpc::ServerUnaryReactor* AllowRequest(grpc::CallbackServerContext* call,
                                         const v1::AllowRequestRequest* request,
                                         v1::AllowRequestResponse* response) override;
  grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>* AllowRequests(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* AwaitTurn(grpc::CallbackServerContext* call,
                                      const v1::AwaitTurnRequest* request,
                                      v1::AwaitTurnResponse* response) override;
  grpc::ServerBidiReactor<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>* AwaitTurns(
      grpc::CallbackServerContext* call) override;
  grpc::ServerUnaryReactor* GetBucketStatus(grpc::CallbackServerContext* call,
                                            const v1::GetBucketStatusRequest* request,
                                            v1::GetBucketStatusResponse* response) override;
  grpc::ServerUnaryReactor* ConfigureBucket(grpc::CallbackServerContext* call,
                                            const v1::ConfigureBucketRequest* request,
                                            v1::ConfigureBucketResponse* response) override;
  grpc::ServerUnaryReactor* DeleteBucket(grpc::CallbackServerContext* call,
                                         const v1::DeleteBucketRequest* request,
                                         v1::DeleteBucketResponse* response) override;
  grpc::ServerUnaryReactor* GetQueuedRequests(grpc::CallbackServerContext* call,
                                              const v1::GetQueuedRequestsRequest* request,
                                              v1::GetQueuedRequestsResponse* response) override;
  grpc::ServerUnaryReactor* GetLeader(grpc::CallbackServerContext* call,
                                      const v1::GetLeaderRequest* request,
                                      v1::GetLeaderResponse* response) override;
  grpc::ServerUnaryReactor* ForgetNode(grpc::CallbackServerContext* call,
                                       const v1::ForgetNodeRequest* request,
                                       v1::ForgetNodeResponse* response) override;
  grpc::ServerUnaryReactor* GetClusterShares(grpc::CallbackServerContext* call,
                                             const v1::GetClusterSharesRequest* request,
                                             v1::GetClusterSharesResponse* response) override;
  grpc::ServerUnaryReactor* GetClusterStatus(grpc::CallbackServerContext* call,
                                             const v1::GetClusterStatusRequest* request,
                                             v1::GetClusterStatusResponse* response) override;

 private:
  const ServicesContext& context_;
  StreamSet& streams_;
};

}  // namespace drip::control
