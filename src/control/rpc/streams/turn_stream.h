// SPDX-License-Identifier: BSD-3-Clause
// One stream of AwaitTurns.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstddef>

#include "control/rpc/calls/services_context.h"
#include "control/rpc/streams/stream_set.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// Entries of one stream that may wait at one time.
inline constexpr std::size_t kMaxTurnsOfAStream = 65'536;

/// The reactor of a new stream, which `streams` keeps until the call is done. If it may not be
/// opened it ends at once with the reason.
[[nodiscard]] grpc::ServerBidiReactor<v1::AwaitTurnsRequest, v1::AwaitTurnsResponse>*
open_turn_stream(const ServicesContext& context, StreamSet& streams, const Admitted& admitted,
                 grpc::CallbackServerContext* call);

}  // namespace drip::control
