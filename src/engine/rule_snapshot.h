// SPDX-License-Identifier: BSD-3-Clause
// The rule set as the workers see it: immutable, swapped by pointer.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "classifier/classifier.h"
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
  BucketRef bucket;             ///< kBucket.
  std::uint32_t flow_rule = 0;  ///< kFlows: the number that the engine gave it.
};

/// What one worker does with the packets of one rule, and what it has counted of them: in half a
/// cache line, for with many rules each packet misses the cache here. Readers add up the workers.
struct alignas(kCacheLineBytes / 2) WorkerRule {
  RuleAction action;
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
  std::vector<std::unique_ptr<WorkerRule[]>> workers;
  /// By rule index, the fallback included: the bucket, or kNoBucket. Eight are in a cache line, so
  /// that a worker can ask for a bucket without having waited for its rule.
  std::vector<BucketRef> targets;
  static constexpr BucketRef kNoBucket{~0U, 0};

  [[nodiscard]] std::size_t fallback_index() const { return actions.size(); }
  [[nodiscard]] std::size_t protected_index() const { return actions.size() + 1; }

  /// Once all else is set: what each of `count` workers needs.
  void prepare_workers(std::uint32_t count) {
    workers.clear();
    targets.clear();
    for (const RuleAction& action : actions) targets.push_back(target_of(action));
    targets.push_back(target_of(fallback));
    for (std::uint32_t worker = 0; worker < count; ++worker) {
      auto rules = std::make_unique<WorkerRule[]>(protected_index() + 1);
      for (std::size_t i = 0; i < actions.size(); ++i) rules[i].action = actions[i];
      rules[fallback_index()].action = fallback;
      workers.push_back(std::move(rules));
    }
  }

 private:
  static BucketRef target_of(const RuleAction& action) {
    return action.kind == RuleAction::Kind::kBucket ? action.bucket : kNoBucket;
  }
};

}  // namespace drip
