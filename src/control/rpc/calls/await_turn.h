// SPDX-License-Identifier: BSD-3-Clause
// One AwaitTurn call, from its admission to its answer.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include "control/config/bucket_entry.h"
#include "control/model/request_queues.h"
#include "control/rpc/calls/open_calls.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

void write_turn(const TurnResult& turn, v1::AwaitTurnResponse& response);

/// The reactor of a new call; it deletes itself when the call is done, and then gives `place` and
/// `waiting` up.
[[nodiscard]] grpc::ServerUnaryReactor* await_turn(BucketEntry& bucket,
                                                   const AdmitRequest& admit_request,
                                                   OpenCalls::Place place, ClientShare waiting,
                                                   grpc::CallbackServerContext* call,
                                                   const v1::AwaitTurnRequest& request,
                                                   v1::AwaitTurnResponse& response);

}  // namespace drip::control
