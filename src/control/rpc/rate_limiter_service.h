// SPDX-License-Identifier: BSD-3-Clause
// drip.v1.RateLimiterService: requests through leaky buckets.
#pragma once

#include "control/rpc/calls/services_context.h"
#include "control/rpc/departure_rates.h"
#include "control/rpc/guarded_service.h"
#include "control/rpc/streams/stream_set.h"
#include "drip/v1/rate_limiter.grpc.pb.h"

namespace drip::control {

/// See drip/v1/rate_limiter.proto for each call. No call blocks a gRPC thread for longer than the
/// polling thread takes to admit a request.
class RateLimiterService final : public GuardedService<v1::RateLimiterService> {
 public:
  /// Both outlive the service.
  RateLimiterService(const ServicesContext& context, StreamSet& streams);

 private:
  friend class GuardedService<v1::RateLimiterService>;

  grpc::ServerUnaryReactor* on_allow_request(const Admitted& admitted,
                                             grpc::CallbackServerContext* call,
                                             const v1::AllowRequestRequest* request,
                                             v1::AllowRequestResponse* response);
  grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>* on_allow_requests(
      const Admitted& admitted, grpc::CallbackServerContext* call);
  grpc::ServerUnaryReactor* on_await_turn(const Admitted& admitted,
                                          grpc::CallbackServerContext* call,
                                          const v1::AwaitTurnRequest* request,
                                          v1::AwaitTurnResponse* response);
  grpc::ServerBidiReactor<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>* on_await_turns(
      const Admitted& admitted, grpc::CallbackServerContext* call);
  grpc::ServerUnaryReactor* on_get_bucket_status(const Admitted& admitted,
                                                 grpc::CallbackServerContext* call,
                                                 const v1::GetBucketStatusRequest* request,
                                                 v1::GetBucketStatusResponse* response);
  grpc::ServerUnaryReactor* on_configure_bucket(const Admitted& admitted,
                                                grpc::CallbackServerContext* call,
                                                const v1::ConfigureBucketRequest* request,
                                                v1::ConfigureBucketResponse* response);
  grpc::ServerUnaryReactor* on_delete_bucket(const Admitted& admitted,
                                             grpc::CallbackServerContext* call,
                                             const v1::DeleteBucketRequest* request,
                                             v1::DeleteBucketResponse* response);
  grpc::ServerUnaryReactor* on_get_queued_requests(const Admitted& admitted,
                                                   grpc::CallbackServerContext* call,
                                                   const v1::GetQueuedRequestsRequest* request,
                                                   v1::GetQueuedRequestsResponse* response);
  grpc::ServerUnaryReactor* on_get_leader(const Admitted& admitted,
                                          grpc::CallbackServerContext* call,
                                          const v1::GetLeaderRequest* request,
                                          v1::GetLeaderResponse* response);
  grpc::ServerUnaryReactor* on_forget_node(const Admitted& admitted,
                                           grpc::CallbackServerContext* call,
                                           const v1::ForgetNodeRequest* request,
                                           v1::ForgetNodeResponse* response);
  grpc::ServerUnaryReactor* on_get_cluster_shares(const Admitted& admitted,
                                                  grpc::CallbackServerContext* call,
                                                  const v1::GetClusterSharesRequest* request,
                                                  v1::GetClusterSharesResponse* response);
  grpc::ServerUnaryReactor* on_get_cluster_status(const Admitted& admitted,
                                                  grpc::CallbackServerContext* call,
                                                  const v1::GetClusterStatusRequest* request,
                                                  v1::GetClusterStatusResponse* response);

  StreamSet& streams_;
  DepartureRates departure_rates_;
};

}  // namespace drip::control
