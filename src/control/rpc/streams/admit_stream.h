// SPDX-License-Identifier: BSD-3-Clause
// One stream of AllowRequests.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <string_view>

#include "control/rpc/calls/services_context.h"
#include "control/rpc/streams/stream_set.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// The reactor of a new stream, which `streams` keeps until the call is done. If it may
/// not be opened it ends at once with the reason.
[[nodiscard]] grpc::ServerBidiReactor<v1::AllowRequestsRequest, v1::AllowRequestsResponse>*
open_admit_stream(const ServicesContext& context, StreamSet& streams, const Admitted& admitted);

}  // namespace drip::control
