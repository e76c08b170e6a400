// SPDX-License-Identifier: BSD-3-Clause
// Every way in which a packet can be lost inside Drip; each lcore counts each by itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "drip/bucket_settings.h"

namespace drip {

enum class DropReason : std::uint8_t {
  kBucketFull,       ///< `capacity` units were in its bucket.
  kBucketFullBytes,  ///< It did not fit below its bucket's `capacity_bytes`.
  kBucketDraining,   ///< Its bucket was being deleted, or the node was stopping.
  kBucketDeleted,    ///< It waited in a bucket that was deleted with DROP.
  kRuleDrop,         ///< A rule said so.
  kTooLong,          ///< More wire bytes than a ring word holds (65535).
  kNoEgress,         ///< It came in by a port that has no peer.
  kTxFull,           ///< Unshaped, and its egress port took nothing for a while.
  kHandOffFull,      ///< The transmitter did not take it from the worker in time.
  kShutdown,         ///< It still waited when the drain time of a stopping node was over.
};
inline constexpr std::size_t kDropReasons = 10;

inline constexpr std::array<std::string_view, kDropReasons> kDropReasonNames = {
    "bucket_full", "bucket_full_bytes", "bucket_draining", "bucket_deleted", "rule_drop",
    "too_long",    "no_egress",         "tx_full",         "hand_off_full",  "shutdown"};

/// Under which reason a packet is dropped that its bucket has rejected.
[[nodiscard]] constexpr DropReason drop_reason(RejectReason reason) {
  switch (reason) {
    case RejectReason::kFullBytes:
      return DropReason::kBucketFullBytes;
    case RejectReason::kDraining:
      return DropReason::kBucketDraining;
    case RejectReason::kTooLong:
      return DropReason::kTooLong;
    default:
      return DropReason::kBucketFull;
  }
}

}  // namespace drip
