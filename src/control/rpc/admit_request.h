// SPDX-License-Identifier: BSD-3-Clause
// The common beginning of AllowRequest and AwaitTurn.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/requests/request_queue.h"
#include "control/rpc/services_context.h"
#include "drip/bucket_settings.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::control {

struct AdmittedRequest {
  Ticket ticket;
  std::shared_ptr<RequestQueue> queue;
  BucketSettings settings;  ///< The bucket's at that moment.
  std::uint32_t wire_bytes = 0;

  /// When it will leave, if nothing changes: right after the admission.
  [[nodiscard]] TimePoint departure(const Engine& engine) const;
};

/// Validates, and admits into the bucket or finds the request that waits already. A rejection is no
/// error. INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED.
[[nodiscard]] absl::StatusOr<AdmittedRequest> admit_request(const ServicesContext& context,
                                                            const std::string& bucket_id,
                                                            const std::string& request_id,
                                                            std::optional<std::uint32_t> bytes);

}  // namespace drip::control
