// SPDX-License-Identifier: BSD-3-Clause
// Converts QueueConfig and QueueStats.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "control/model/bucket_queue.h"
#include "drip/queue/bucket_queue.h"
#include "drip/v1/bucket.pb.h"

namespace drip::control {

/// Sets the fields that `config` has. INVALID_ARGUMENT, naming field, value and range. `path`: of
/// the message in the request, with a dot at its end.
[[nodiscard]] absl::Status read_queue(const v1::QueueConfig& config, std::string_view path,
                                      QueuePatch& patch);
/// Sets every field.
void write_queue(const QueueSettings& queue, v1::QueueConfig& config);
void write_queue_stats(const QueueCounters& counters, v1::QueueStats& stats);

}  // namespace drip::control
