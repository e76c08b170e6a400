// SPDX-License-Identifier: BSD-3-Clause
// `bucket watch --plot`.
#pragma once

#include <cstdint>
#include <limits>

#include "cli/session/command_line.h"

namespace drip::cli {

// Intervals that never end in practice.
inline constexpr std::uint64_t kUnbounded = std::numeric_limits<std::uint64_t>::max();

// Draws the rate and the backlog of one bucket until interrupted: on the whole terminal, or without
// one, or for `count` intervals, a line of text for each. Throws UsageError unless `request` names
// one bucket.
Exit plot_bucket(Session& session, const v1::WatchBucketsRequest& request, std::uint64_t count);

}  // namespace drip::cli
