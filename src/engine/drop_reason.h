// SPDX-License-Identifier: BSD-3-Clause
// The reasons for which Drip drops packets; each polling thread has a counter for each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "drip/bucket_settings.h"
#include "drip/queue/queue_drop.h"

namespace drip {

enum class DropReason : std::uint8_t {
  kBucketFull,       ///< `capacity` units were in its bucket.
  kBucketFullBytes,  ///< It did not fit into its bucket's `capacity_bytes`.
  kBucketDraining,   ///< Its bucket was being deleted, or the node was stopping.
  kBucketDeleted,    ///< It waited in a bucket that was deleted with DROP.
  kRuleDrop,         ///< The action of its rule.
  kTooLong,          ///< More wire bytes than kMaxWireBytes.
  kNoEgress,         ///< The port that received it has no peer.
  kTxFull,           ///< Not shaped, and the bursts of its egress port were full.
  kHandOffFull,      ///< The hand-off ring to its transmitter was full.
  kShutdown,         ///< It still waited at the end of the drain time of a stopping node.
  kEgressMtu,        ///< Longer than the MTU of its egress port allows.
  kRxTruncated,      ///< As long as the driver's receive slot, which cuts what is longer.
  kQueueOverflow,    ///< Its queue was full: the head of the longest flow, or the newcomer.
  kAqm,              ///< The AQM of its queue signalled congestion.
  kMaxWait,          ///< It had waited for longer than its bucket's `max_wait`.
  kQueueMemory,      ///< The pools of its polling thread's queues were used up.
};
inline constexpr std::size_t kDropReasons = 16;

inline constexpr std::array<std::string_view, kDropReasons> kDropReasonNames = {
    "bucket_full",     "bucket_full_bytes",
    "bucket_draining", "bucket_deleted",
    "rule_drop",       "too_long",
    "no_egress",       "tx_full",
    "hand_off_full",   "shutdown",
    "egress_mtu",      "rx_truncated",
    "queue_overflow",  "aqm",
    "max_wait",        "queue_memory"};

/// The drop reason of a packet that its bucket has rejected. REQUIRES: not kAdmitted.
[[nodiscard]] constexpr DropReason drop_reason(RejectReason reason) {
  switch (reason) {
    case RejectReason::kFullBytes:
      return DropReason::kBucketFullBytes;
    case RejectReason::kDraining:
      return DropReason::kBucketDraining;
    case RejectReason::kTooLong:
      return DropReason::kTooLong;
    case RejectReason::kFull:
    case RejectReason::kWaitTooLong:  // Only for requests.
    case RejectReason::kAdmitted:
      break;
  }
  return DropReason::kBucketFull;
}

/// The drop reason of a packet that a queue has dropped.
[[nodiscard]] constexpr DropReason drop_reason(QueueDrop reason) {
  switch (reason) {
    case QueueDrop::kOverflow:
      return DropReason::kQueueOverflow;
    case QueueDrop::kAqm:
      return DropReason::kAqm;
    case QueueDrop::kMaxWait:
      return DropReason::kMaxWait;
    case QueueDrop::kNoMemory:
      return DropReason::kQueueMemory;
    case QueueDrop::kQueueRemoved:
      break;
  }
  return DropReason::kBucketDeleted;
}

}  // namespace drip
