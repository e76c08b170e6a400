// SPDX-License-Identifier: BSD-3-Clause
// AwaitTurn on an exact bucket, whose queue is in Redis.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "control/config/bucket_entry.h"
#include "control/rpc/services_context.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// The reactor of a new call; it deletes itself when the call is done. REQUIRES: a valid
/// request_id.
///
/// The request leaves when it is due by what Redis said last. Redis is asked once more then, and
/// once a second before, for a change of the bucket or a place that was given up moves it; if Redis
/// does not answer the request leaves as it was promised, so that those of a pause do not leave in
/// one burst after it. If Redis has lost its data the request is admitted again.
[[nodiscard]] grpc::ServerUnaryReactor* await_exact(const ServicesContext& context,
                                                    const BucketEntry& bucket,
                                                    grpc::CallbackServerContext* call,
                                                    const v1::AwaitTurnRequest& request,
                                                    v1::AwaitTurnResponse& response);

}  // namespace drip::control
