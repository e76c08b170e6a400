// SPDX-License-Identifier: BSD-3-Clause
// One stream of WatchBuckets.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <string_view>

#include "control/rpc/calls/services_context.h"
#include "control/rpc/streams/stream_set.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// The reactor of a new stream, which `streams` keeps until the call is done. If it may
/// not be opened it ends at once with the reason.
[[nodiscard]] grpc::ServerWriteReactor<v1::WatchBucketsResponse>* open_watch_stream(
    const ServicesContext& context, StreamSet& streams, const Admitted& admitted,
    const v1::WatchBucketsRequest& request);

}  // namespace drip::control
