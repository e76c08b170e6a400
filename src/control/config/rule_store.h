// SPDX-License-Identifier: BSD-3-Clause
// The rule set as configured, the snapshot of it that the workers use, and the rules' hit counters.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "classifier/classifier.h"
#include "control/config/bucket_registry.h"
#include "control/config/flow_rule_plan.h"
#include "control/config/indexed_rules.h"
#include "control/config/rule_overlap.h"
#include "control/model/rule_spec.h"
#include "engine/engine.h"
#include "engine/rule_snapshot.h"

namespace drip::control {

/// Packets that a rule matched.
struct HitTotals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct RuleState {
  const RuleSpec* rule = nullptr;  ///< Valid until the rules change.
  HitTotals hits;
  FlowRuleStats flows;                ///< Of a per-flow rule.
  std::vector<std::string> warnings;  ///< See rule_warnings.h.
};

/// What sends packets to the bucket, for the text of errors: `rule "a"`, `the default`.
[[nodiscard]] std::vector<std::string> users_of(const RuleSetSpec& rules,
                                                std::string_view bucket_id);

/// Not thread safe: Configuration makes all calls with its lock held.
class RuleStore {
 public:
  RuleStore(Engine& engine, BucketRegistry& buckets) : engine_(engine), buckets_(buckets) {}

  /// Sets an empty rule set unless replace() has set one. Workers take no packets before they have
  /// a rule set, so that the rules of a file apply to the first packet.
  [[nodiscard]] absl::Status start();

  /// Replaces all rules. Rules with the id of an old one keep its hit counters. On failure nothing
  /// is changed: NOT_FOUND naming a bucket or port that does not exist, FAILED_PRECONDITION naming
  /// a bucket that takes no packets, the errors of BucketRegistry::check_flow_rules(), or the
  /// engine's error.
  [[nodiscard]] absl::Status replace(RuleSetSpec rules);
  /// Adds the rule at the end, or replaces the one with its id. Returns true if it was added. What
  /// adding costs grows with the square root of the number of rules.
  [[nodiscard]] absl::StatusOr<bool> set(RuleSpec rule);
  /// Makes one classifier of all rules if some were added or erased, and none since the last call.
  /// To be called now and then.
  void merge_added();
  /// NOT_FOUND if there is no rule of this id. What erasing costs grows with the number of rules
  /// that may match packets of this one, but for a look at each rule that takes nanoseconds. If
  /// these are very many, all rules are compiled anew.
  [[nodiscard]] absl::Status erase(std::string_view id);

  [[nodiscard]] const RuleSetSpec& rules() const { return rules_.rules(); }
  /// Incremented by each change; in a cluster, set_revision() sets the cluster's.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  void set_revision(std::uint64_t revision) { revision_ = revision; }
  /// In the order in which the classifier tries the rules.
  [[nodiscard]] std::vector<RuleState> list() const;
  [[nodiscard]] HitTotals default_hits() const;
  [[nodiscard]] HitTotals default_hits(PacketKind kind) const;
  /// By the index of the rule: see rule_warnings.h. Kept until the rules change.
  [[nodiscard]] const std::vector<std::vector<std::string>>& warnings() const;
  /// The same for one rule, at less cost.
  [[nodiscard]] std::vector<std::string> warnings_of(std::string_view id) const;
  [[nodiscard]] HitTotals protected_hits() const;

  /// What the workers use at present; null before the first.
  [[nodiscard]] const std::shared_ptr<const RuleSnapshot>& snapshot() const { return snapshot_; }
  /// Null if no rule has this index, or none any more.
  [[nodiscard]] const RuleSpec* rule_at(std::size_t snapshot_index) const {
    return rules_.at(static_cast<std::uint32_t>(snapshot_index));
  }
  /// The bucket to which the rule of this index, or the default, sends packets; null if to none.
  [[nodiscard]] BucketEntryRef bucket_of(std::size_t snapshot_index) const;
  [[nodiscard]] const BucketRegistry& buckets() const { return buckets_; }

  /// By index in rules().rules.
  [[nodiscard]] const FlowRulesByIndex& flow_rules() const { return rules_.flow_rules(); }

 private:
  // Everything but the numbers of the per-flow rules.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<RuleSnapshot>> compile(const RuleSetSpec& rules,
                                                                      std::size_t& matches) const;
  // Adds the matches of rule `index`, at most `most`.
  [[nodiscard]] absl::Status add_matches(const RuleSpec& rule, const AddressLists& lists,
                                         std::uint32_t index, std::size_t most,
                                         std::vector<ClassifierRule>& classified) const;
  // False, and nothing is changed, if all rules are to be compiled anew; errors are those of
  // replace(). REQUIRES: there is no rule of this id.
  [[nodiscard]] absl::StatusOr<bool> append(const RuleSpec& rule);
  [[nodiscard]] absl::StatusOr<bool> append_at(std::uint32_t index, const RuleSpec& rule);
  // False, and nothing is changed, if all rules are to be compiled anew.
  [[nodiscard]] bool erase_at(std::uint32_t index);
  // Adds to `own` the rules of the base that may apply to packets for which it finds rule `index`.
  // False if these are too many, or too many would have to be compared.
  [[nodiscard]] bool add_heirs(std::uint32_t index, const RuleSpec& rule,
                               std::vector<ClassifierRule>& own) const;
  // How many rules the snapshot's base has: those of smaller indices.
  [[nodiscard]] std::size_t base_rules() const;
  // Counts how many rules send packets to a bucket.
  void count_uses(const RuleSpec& rule);
  [[nodiscard]] absl::StatusOr<RuleAction> action_of(const RuleSpec& rule) const;
  [[nodiscard]] absl::StatusOr<BucketRef> bucket_named(std::string_view field,
                                                       std::string_view id) const;
  [[nodiscard]] HitTotals snapshot_hits(std::size_t index) const;
  // Adds the hits of the present snapshot, which no worker uses any more, to those kept for rules
  // that are in `next` as well.
  void keep_hits(const RuleSetSpec& next);

  Engine& engine_;
  BucketRegistry& buckets_;
  IndexedRules rules_;  // With the indices of snapshot_.
  std::shared_ptr<const RuleSnapshot> snapshot_;
  std::vector<AddressCover> covers_;  // By index.
  // By id, how many rules send packets there, the default included.
  std::unordered_map<std::string, std::size_t> bucket_uses_;
  // Of all rules; of erased ones still until all are compiled.
  std::size_t matches_ = 0;
  // What snapshot_'s own classifier has beside its base, by index: rules that were added, and those
  // of the base that may apply instead of erased ones.
  std::vector<ClassifierRule> added_;
  std::uint64_t changes_ = 0;         // Rules added or erased since all were compiled.
  std::uint64_t changes_before_ = 0;  // The same when merge_added() was called last.
  std::uint64_t revision_ = 0;
  mutable std::optional<std::vector<std::vector<std::string>>> warnings_;
  // Hits of the snapshots before the present one, by rule id.
  std::map<std::string, HitTotals> kept_hits_;
  std::array<HitTotals, kPacketKinds> kept_default_{};
  HitTotals kept_protected_;
};

}  // namespace drip::control
