// SPDX-License-Identifier: BSD-3-Clause
// The rules as the workers use them: an immutable snapshot, replaced as a whole.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "classifier/classifier.h"
#include "drip/cache_line.h"
#include "drip/counter.h"
#include "packet/control_protocols.h"
#include "packet/flow_key.h"
#include "packet/packet_kind.h"

namespace drip {

/// A bucket: the transmitter that owns it, and its slot there.
struct BucketRef {
  std::uint32_t transmitter = 0;
  std::uint32_t slot = 0;
  friend bool operator==(BucketRef, BucketRef) = default;
};

struct RuleAction {
  enum class Kind : std::uint8_t { kPass, kDrop, kBucket, kFlows };
  static constexpr std::uint8_t kKeepDscp = 0xff;

  RuleAction() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): it reads as an aggregate does.
  RuleAction(Kind what, BucketRef into = {}, std::uint32_t flows = 0)
      : kind(what), bucket(into), flow_rule(flows) {}

  Kind kind = Kind::kPass;
  std::uint8_t dscp = kKeepDscp;  ///< Written into each packet, 0 to 63, before all else.
  BucketRef bucket;               ///< kBucket.
  std::uint32_t flow_rule = 0;    ///< kFlows: the number from Engine::create_flow_rule().
};

/// What a packet's way needs to know of a per-flow rule.
struct FlowPath {
  FlowTemplateKey key;
  RuleAction overflow;  ///< For packets of flows for which there is no room; never kFlows.
};

/// One worker's copy of a rule's action, and its counters. Half a cache line, because with many
/// rules each packet misses the cache here. The worker alone writes the counters; any thread may
/// read and add them up.
struct alignas(kCacheLineBytes / 2) WorkerRule {
  RuleAction action;
  Counter packets;
  Counter bytes;
};
static_assert(sizeof(WorkerRule) == kCacheLineBytes / 2);

/// Built by control, read by all workers, and freed once all of them use a later one.
struct RuleSnapshot {
  Classifier classifier;
  std::vector<RuleAction> actions;  ///< By the classifier's rule index.
  RuleAction fallback;              ///< For packets that no rule matches.
  /// By the number of the flow rule; entries of numbers that no action has are not used.
  std::vector<FlowPath> flow_paths;
  /// What goes past the rules.
  ControlProtocols control_protocols = ControlProtocols::all();
  /// By worker, then by rule index; then those of the fallback, one for each PacketKind; the
  /// last one is for protected control traffic.
  std::vector<std::unique_ptr<WorkerRule[]>> workers;
  /// By rule index, the fallback included: the bucket, or kNoBucket. Eight share a cache line, so
  /// that a worker can prefetch a bucket before it has the rule.
  std::vector<BucketRef> targets;
  static constexpr BucketRef kNoBucket{~0U, 0};

  /// Of the first kind; the others follow.
  [[nodiscard]] std::size_t fallback_index() const { return actions.size(); }
  [[nodiscard]] std::size_t fallback_index(PacketKind kind) const {
    return actions.size() + static_cast<std::size_t>(kind);
  }
  [[nodiscard]] std::size_t protected_index() const { return actions.size() + kPacketKinds; }

  /// Fills `workers` and `targets` for `count` workers. REQUIRES: all other members are set.
  void prepare_workers(std::uint32_t count) {
    workers.clear();
    targets.clear();
    for (const RuleAction& action : actions) targets.push_back(target_of(action));
    targets.insert(targets.end(), kPacketKinds, target_of(fallback));
    for (std::uint32_t worker = 0; worker < count; ++worker) {
      auto rules = std::make_unique<WorkerRule[]>(protected_index() + 1);
      for (std::size_t i = 0; i < actions.size(); ++i) rules[i].action = actions[i];
      for (std::size_t i = 0; i < kPacketKinds; ++i) {
        rules[fallback_index() + i].action = fallback;
      }
      workers.push_back(std::move(rules));
    }
  }

 private:
  static BucketRef target_of(const RuleAction& action) {
    return action.kind == RuleAction::Kind::kBucket ? action.bucket : kNoBucket;
  }
};

}  // namespace drip
