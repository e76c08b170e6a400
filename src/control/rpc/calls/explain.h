// SPDX-License-Identifier: BSD-3-Clause
// ShaperService.Explain.
#pragma once

#include "absl/status/status.h"
#include "control/rpc/calls/services_context.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// On the work thread. INVALID_ARGUMENT for a frame that is too short or too long; NOT_FOUND for a
/// port that does not exist.
[[nodiscard]] absl::Status explain(const ServicesContext& context,
                                   const v1::ExplainRequest& request,
                                   v1::ExplainResponse& response);

}  // namespace drip::control
