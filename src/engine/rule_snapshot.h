// SPDX-License-Identifier: BSD-3-Clause
// The rules as the workers use them: an immutable snapshot, replaced as a whole.
#pragma once

#include <atomic>
#include <cstddef>
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
  template <typename Hash>
  friend Hash AbslHashValue(Hash hash, BucketRef ref) {
    return Hash::combine(std::move(hash), ref.transmitter, ref.slot);
  }
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
  static constexpr std::uint32_t kAnyTransmitter = ~0U;

  FlowTemplateKey key;
  RuleAction overflow;  ///< For packets of flows for which there is no room; never kFlows.
  /// Of all flows, if their buckets are in a tree; otherwise the key decides.
  std::uint32_t transmitter = kAnyTransmitter;
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
///
/// A rule that is added at the end does not make all others anew: its snapshot refers to the one of
/// before (`base`), has a classifier of the few rules that came since, and shares the arrays by
/// rule index, which have spare elements. Nor does one that is erased: the snapshot's own
/// classifier has the rules that may apply instead of it as well. See
/// docs/decisions/0001-classifier.md.
struct RuleSnapshot {
  /// Of all rules, or of those that are not in `base` and those instead of erased ones.
  Classifier classifier;
  /// What has the earlier rules; it has no `base` itself. Usually null.
  std::shared_ptr<const RuleSnapshot> base;
  std::vector<RuleAction> actions;  ///< By the classifier's rule index; of `base` only.
  RuleAction fallback;              ///< For packets that no rule matches.
  /// By the number of the flow rule; entries of numbers that no action has are not used.
  std::vector<FlowPath> flow_paths;
  /// What goes past the rules.
  ControlProtocols control_protocols = ControlProtocols::all();
  /// By worker, then by rule index; then those of the fallback, one for each PacketKind; the
  /// last one is for protected control traffic.
  std::vector<std::shared_ptr<WorkerRule[]>> workers;
  /// By rule index, the fallback included: the bucket, or kNoBucket. Eight share a cache line, so
  /// that a worker can prefetch a bucket before it has the rule. Only hints: control changes them
  /// when a bucket moves, at another moment than the workers' actions.
  std::shared_ptr<std::atomic<BucketRef>[]> targets;
  static constexpr BucketRef kNoBucket{~0U, 0};
  /// By rule index; read only where both classifiers find a rule.
  std::shared_ptr<std::int32_t[]> priorities;
  std::size_t rule_slots = 0;  ///< Elements for rules, spare ones included.
  /// By rule index, 64 to an element: those that `base` finds though they have been erased. Empty:
  /// none.
  std::vector<std::uint64_t> erased;

  /// Of the first kind; the others follow.
  [[nodiscard]] std::size_t fallback_index() const { return rule_slots; }
  [[nodiscard]] std::size_t fallback_index(PacketKind kind) const {
    return rule_slots + static_cast<std::size_t>(kind);
  }
  [[nodiscard]] std::size_t protected_index() const { return rule_slots + kPacketKinds; }

  /// Makes the arrays for `count` workers, with room for `spare` rules more. REQUIRES: all members
  /// before `workers` are set.
  void prepare_workers(std::uint32_t count, std::size_t spare = 0) {
    rule_slots = actions.size() + spare;
    workers.clear();
    targets = std::make_unique<std::atomic<BucketRef>[]>(rule_slots + kPacketKinds);
    priorities = std::make_shared<std::int32_t[]>(rule_slots);
    for (std::size_t i = 0; i < actions.size(); ++i) targets[i] = target_of(actions[i]);
    for (std::size_t i = 0; i < kPacketKinds; ++i) {
      targets[fallback_index() + i] = target_of(fallback);
    }
    for (std::uint32_t worker = 0; worker < count; ++worker) {
      auto rules = std::make_unique<WorkerRule[]>(protected_index() + 1);
      for (std::size_t i = 0; i < actions.size(); ++i) rules[i].action = actions[i];
      for (std::size_t i = 0; i < kPacketKinds; ++i) {
        rules[fallback_index() + i].action = fallback;
      }
      workers.emplace_back(std::move(rules));
    }
  }

  /// What `present` has, and the rule of index `index`, whose element is spare as yet; the
  /// classifier is to be set, of all rules that are not in the base.
  [[nodiscard]] static std::shared_ptr<RuleSnapshot> with_rule(
      const std::shared_ptr<const RuleSnapshot>& present, std::size_t index,
      const RuleAction& action, std::int32_t priority) {
    auto snapshot = on_base_of(present);
    // No worker reads these elements before it has the new classifier.
    for (const auto& rules : snapshot->workers) rules[index].action = action;
    snapshot->targets[index] = target_of(action);
    snapshot->priorities[index] = priority;
    return snapshot;
  }

  /// What `present` has but the rule of index `index`. The classifier is to be set, in the order of
  /// their indices: of all rules that are not in the base, and of those in it that may match a
  /// packet for which the base finds an erased one.
  [[nodiscard]] static std::shared_ptr<RuleSnapshot> without_rule(
      const std::shared_ptr<const RuleSnapshot>& present, std::size_t index) {
    auto snapshot = on_base_of(present);
    snapshot->erased.resize((snapshot->rule_slots + 63) / 64);
    snapshot->erased[index / 64] |= std::uint64_t{1} << index % 64;
    return snapshot;
  }

  [[nodiscard]] bool is_erased(std::uint32_t index) const {
    return !erased.empty() && (erased[index / 64] >> index % 64 & 1) != 0;
  }

  /// Of the rules that the base and this snapshot's own classifier have found, the one that
  /// applies.
  [[nodiscard]] std::uint32_t better(std::uint32_t of_base, std::uint32_t own) const {
    if (of_base == kNoRule || is_erased(of_base)) return own;
    if (own == kNoRule) return of_base;
    return priorities[own] > priorities[of_base] ? own : of_base;
  }

 private:
  static std::shared_ptr<RuleSnapshot> on_base_of(
      const std::shared_ptr<const RuleSnapshot>& present) {
    auto snapshot = std::make_shared<RuleSnapshot>();
    snapshot->base = present->base != nullptr ? present->base : present;
    snapshot->fallback = present->fallback;
    snapshot->flow_paths = present->flow_paths;
    snapshot->control_protocols = present->control_protocols;
    snapshot->workers = present->workers;
    snapshot->targets = present->targets;
    snapshot->priorities = present->priorities;
    snapshot->rule_slots = present->rule_slots;
    snapshot->erased = present->erased;
    return snapshot;
  }
  static BucketRef target_of(const RuleAction& action) {
    return action.kind == RuleAction::Kind::kBucket ? action.bucket : kNoBucket;
  }
};

}  // namespace drip
