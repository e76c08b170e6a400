// SPDX-License-Identifier: BSD-3-Clause
// ShaperService.Capture.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <string_view>

#include "control/rpc/calls/services_context.h"
#include "control/rpc/streams/capture_session.h"
#include "control/rpc/streams/stream_set.h"
#include "drip/v1/capture.pb.h"

namespace drip::control {

/// The reactor of a new stream, which `streams` keeps until the call is done. If it may
/// not be opened it ends at once with the reason. Begin and end are in the audit log, because the
/// caller sees what customers send.
[[nodiscard]] grpc::ServerWriteReactor<v1::CaptureResponse>* open_capture_stream(
    const ServicesContext& context, StreamSet& streams, CapturePlace& place,
    const Admitted& admitted, const v1::CaptureRequest& request);

}  // namespace drip::control
