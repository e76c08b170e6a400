// SPDX-License-Identifier: BSD-3-Clause
// ShaperService.GetBucketTraffic.
#pragma once

#include "absl/status/status.h"
#include "access/caller.h"
#include "control/rpc/calls/services_context.h"
#include "drip/v1/traffic.pb.h"

namespace drip::control {

/// May wait for the configuration's lock. The errors are those of the call: INVALID_ARGUMENT,
/// PERMISSION_DENIED, FAILED_PRECONDITION, NOT_FOUND.
[[nodiscard]] absl::Status get_bucket_traffic(const access::Caller& caller,
                                              const ServicesContext& context,
                                              const v1::GetBucketTrafficRequest& request,
                                              v1::GetBucketTrafficResponse& response);

}  // namespace drip::control
