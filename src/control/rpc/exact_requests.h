// SPDX-License-Identifier: BSD-3-Clause
// Calls about exact buckets: asked of the cluster, and answered when it answers.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/model/shared_buckets.h"
#include "control/rpc/services_context.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// The bucket, if it is an exact one for which the cluster is to be asked now; null if the call is
/// the node's own to answer, with an error as well.
[[nodiscard]] BucketEntryRef exact_bucket(const ServicesContext& context, const std::string& id);
[[nodiscard]] SharedBuckets::Bucket shared_bucket(const BucketEntry& bucket);
/// Whether a call about an exact bucket that ended with `status` is the node's own now: Redis does
/// not answer, and the bucket is open.
[[nodiscard]] bool is_ours_now(const ServicesContext& context, const std::string& id,
                               const absl::Status& status);
[[nodiscard]] std::string id_or_made_up(const std::string& id);

// They finish their calls themselves. No thread waits.

/// `allow_here` answers by the node's own queue, if the bucket turns out to be open.
[[nodiscard]] grpc::ServerUnaryReactor* allow_exact(const ServicesContext& context,
                                                    const BucketEntry& bucket,
                                                    grpc::CallbackServerContext* call,
                                                    const v1::AllowRequestRequest& request,
                                                    v1::AllowRequestResponse& response,
                                                    std::function<absl::Status()> allow_here);
[[nodiscard]] grpc::ServerUnaryReactor* read_exact(const ServicesContext& context,
                                                   const BucketEntryRef& bucket,
                                                   grpc::CallbackServerContext* call,
                                                   v1::Bucket& message);
[[nodiscard]] grpc::ServerUnaryReactor* list_exact(const ServicesContext& context,
                                                   const BucketEntry& bucket,
                                                   grpc::CallbackServerContext* call,
                                                   const v1::GetQueuedRequestsRequest& request,
                                                   v1::GetQueuedRequestsResponse& response);

// These wait, for a little longer than `decide_within`: for the thread of changes.
[[nodiscard]] absl::StatusOr<SharedStats> read_exact_now(const ServicesContext& context,
                                                         const SharedBuckets::Bucket& bucket);
[[nodiscard]] absl::StatusOr<Removal> remove_exact_now(const ServicesContext& context,
                                                       const SharedBuckets::Bucket& bucket,
                                                       bool drop_backlog);
/// The counters of the whole cluster in place of the node's.
void put_reading(const ServicesContext& context, const SharedStats& reading, BucketState& state);

}  // namespace drip::control
