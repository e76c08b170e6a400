// SPDX-License-Identifier: BSD-3-Clause
// How packets wait in a bucket: a change of it, and what it allows.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "drip/bucket_settings.h"
#include "drip/queue/queue_settings.h"

namespace drip::control {

/// A change of QueueSettings, in which any field may be absent. Each field that is set is within
/// its own range.
struct QueuePatch {
  std::optional<QueueKind> kind;
  std::optional<Isolation> isolation;
  std::optional<Aqm> aqm;
  std::optional<TinMode> tins;
  std::optional<bool> wash;
  std::optional<std::uint32_t> quantum;
  std::optional<Duration> target;
  std::optional<Duration> interval;
  std::optional<Duration> l4s_threshold;
  std::optional<Duration> max_wait;
};

/// Changes `queue`. INVALID_ARGUMENT if the fields do not go together. `path`: of the queue's
/// message in the request, as in BucketPatch.
[[nodiscard]] absl::Status apply_queue(const QueuePatch& patch, std::string_view path,
                                       QueueSettings& queue);
/// Whether the rest of the bucket's settings allows its queue. `path`: of the bucket.
[[nodiscard]] absl::Status check_queue(const BucketSettings& settings, std::string_view path);
/// Sets every field.
void complete_queue(const QueueSettings& queue, QueuePatch& patch);
/// For a request to a bucket whose queue is for packets.
[[nodiscard]] absl::Status packet_queue_error(std::string_view field, std::string_view bucket_id);

}  // namespace drip::control
