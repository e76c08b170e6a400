// SPDX-License-Identifier: BSD-3-Clause
// What has become of the RPCs of one method.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "drip/histogram.h"

namespace drip::control {

/// The codes of google.rpc.Code: OK is 0, UNAUTHENTICATED 16.
inline constexpr std::size_t kCallCodes = 17;

struct CallStats {
  std::string method;  ///< "RateLimiterService/AllowRequest"; "other": health and reflection.
  std::array<std::uint64_t, kCallCodes> ended{};  ///< By status code.
  std::uint64_t in_progress = 0;
  HistogramCounts duration;  ///< From the begin of the call on the server to its status.
};

}  // namespace drip::control
