// SPDX-License-Identifier: BSD-3-Clause
// The rule set as the workers see it: immutable, swapped by pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/classifier.h"
#include "drip/cache_line.h"
#include "drip/counter.h"

namespace drip {

/// Where a bucket lives: the transmitter that owns it and its slot there.
struct BucketRef {
  std::uint32_t transmitter = 0;
  std::uint32_t slot = 0;
  friend bool operator==(BucketRef, BucketRef) = default;
};

struct RuleAction {
  enum class Kind : std::uint8_t { kPass, kDrop, kBucket, kFlows };
  Kind kind = Kind::kPass;
  BucketRef bucket;            ///< kBucket.
  std::uint32_t flow_set = 0;  ///< kFlows: the number that the engine gave it.
};

/// One worker counts what a rule took; readers add up the workers.
struct RuleHits {
  Counter packets;
  Counter bytes;
};

/// Built by control, read by every worker, freed after all workers have gone on to a later one.
struct RuleSnapshot {
  Classifier classifier;
  std::vector<RuleAction> actions;  ///< By the classifier's rule index.
  RuleAction fallback;              ///< What no rule takes, and flows that find no room.
  bool protect_control_traffic = true;
  /// By worker, then by rule index; two more at the end, for the fallback and for protected
  /// traffic.
  std::vector<std::unique_ptr<RuleHits[]>> hits;

  [[nodiscard]] std::size_t fallback_hits() const { return actions.size(); }
  [[nodiscard]] std::size_t protected_hits() const { return actions.size() + 1; }
};

}  // namespace drip
