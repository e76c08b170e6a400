// SPDX-License-Identifier: BSD-3-Clause
// Applies a patch to a bucket's queue.
#include "control/model/bucket_queue.h"

#include <limits>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {

absl::Status apply_queue(const QueuePatch& patch, std::string_view path, QueueSettings& queue) {
  queue.kind = patch.kind.value_or(queue.kind);
  queue.isolation = patch.isolation.value_or(queue.isolation);
  queue.aqm = patch.aqm.value_or(queue.aqm);
  queue.tins = patch.tins.value_or(queue.tins);
  queue.wash = patch.wash.value_or(queue.wash);
  queue.quantum = patch.quantum.value_or(queue.quantum);
  queue.target = patch.target.value_or(queue.target);
  queue.interval = patch.interval.value_or(queue.interval);
  queue.l4s_threshold = patch.l4s_threshold.value_or(queue.l4s_threshold);
  queue.max_wait = patch.max_wait.value_or(queue.max_wait);
  if (queue.aqm == Aqm::kCodel && queue.effective_target() > queue.interval) {
    return not_allowed(joined(path, "interval_ns"), joined(queue.interval.ns),
                       joined("at least the target, ", queue.effective_target().ns, " ns"));
  }
  if (queue.aqm != Aqm::kDualPi2) return absl::OkStatus();
  if (queue.kind == QueueKind::kFair) {
    return not_allowed(joined(path, "aqm"), "AQM_DUALPI2",
                       "AQM_NONE or AQM_CODEL with QUEUE_KIND_FAIR: DualPI2 has two queues");
  }
  if (queue.tins != TinMode::kNone) {
    return not_allowed(joined(path, "tins"),
                       queue.tins == TinMode::kDiffserv3 ? "TINS_DIFFSERV3" : "TINS_DIFFSERV4",
                       "TINS_NONE with AQM_DUALPI2, which has two queues");
  }
  return absl::OkStatus();
}

absl::Status check_queue(const BucketSettings& settings, std::string_view path) {
  if (settings.queue.is_plain()) return absl::OkStatus();
  if (settings.capacity == 0) {
    return not_allowed(joined(path, "queue"), "a queue",
                       "none for an inner node: packets wait in leaves only");
  }
  if (settings.departure != Departure::kAtStart) {
    return not_allowed(joined(path, "departure"), "DEPARTURE_AT_END",
                       "DEPARTURE_AT_START with a queue other than plain QUEUE_KIND_FIFO: a packet "
                       "is chosen when it departs");
  }
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  if (settings.queue.aqm != Aqm::kDualPi2 && settings.capacity_bytes > kMost) {
    return not_allowed(joined(path, "capacity_bytes"), joined(settings.capacity_bytes),
                       joined("up to ", kMost, " with a queue other than plain QUEUE_KIND_FIFO"));
  }
  return absl::OkStatus();
}

void complete_queue(const QueueSettings& queue, QueuePatch& patch) {
  patch.kind = queue.kind;
  patch.isolation = queue.isolation;
  patch.aqm = queue.aqm;
  patch.tins = queue.tins;
  patch.wash = queue.wash;
  patch.quantum = queue.quantum;
  patch.target = queue.target;
  patch.interval = queue.interval;
  patch.l4s_threshold = queue.l4s_threshold;
  patch.max_wait = queue.max_wait;
}

absl::Status packet_queue_error(std::string_view field, std::string_view bucket_id) {
  return absl::FailedPreconditionError(joined(
      field, ": ", quoted(bucket_id),
      " has a fair queue, DiffServ tins or an AQM, which are for packets and tell them apart "
      "by their headers; requests need a bucket with a plain FIFO queue"));
}

}  // namespace drip::control
