// SPDX-License-Identifier: BSD-3-Clause
// Calls about exact buckets: asked of the cluster, and answered when it answers.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "absl/status/statusor.h"
#include "control/bucket_registry.h"
#include "control/services_context.h"
#include "control/shared_buckets.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// The bucket, if it is an exact one for which the cluster is to be asked now; null if the call is
/// the node's own to answer, with an error as well.
[[nodiscard]] KnownBucketRef exact_bucket(const ServicesContext& context, const std::string& id);
[[nodiscard]] SharedBuckets::Bucket shared_bucket(const KnownBucket& bucket);

// They finish their calls themselves. No thread waits.
[[nodiscard]] grpc::ServerUnaryReactor* allow_exact(const ServicesContext& context,
                                                    const KnownBucket& bucket,
                                                    grpc::CallbackServerContext* call,
                                                    const v1::AllowRequestRequest& request,
                                                    v1::AllowRequestResponse& response);
[[nodiscard]] grpc::ServerUnaryReactor* await_exact(const ServicesContext& context,
                                                    const KnownBucket& bucket,
                                                    const v1::AwaitTurnRequest& request,
                                                    v1::AwaitTurnResponse& response);
[[nodiscard]] grpc::ServerUnaryReactor* read_exact(const ServicesContext& context,
                                                   const KnownBucketRef& bucket,
                                                   grpc::CallbackServerContext* call,
                                                   v1::Bucket& message);
[[nodiscard]] grpc::ServerUnaryReactor* list_exact(const ServicesContext& context,
                                                   const KnownBucket& bucket,
                                                   grpc::CallbackServerContext* call,
                                                   const v1::GetQueuedRequestsRequest& request,
                                                   v1::GetQueuedRequestsResponse& response);

// These wait, for a little longer than `decide_within`: for the thread of changes.
[[nodiscard]] absl::StatusOr<SharedReading> read_exact_now(const ServicesContext& context,
                                                           const SharedBuckets::Bucket& bucket);
[[nodiscard]] absl::StatusOr<Removal> remove_exact_now(const ServicesContext& context,
                                                       const SharedBuckets::Bucket& bucket,
                                                       bool drop_backlog);
/// The counters of the whole cluster in place of the node's.
void put_reading(const ServicesContext& context, const SharedReading& reading, BucketState& state);

}  // namespace drip::control
