// SPDX-License-Identifier: BSD-3-Clause
// The rule set that is wanted, the one that the workers see, and what it counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/config/flow_rule_plan.h"
#include "control/model/rule_spec.h"
#include "engine/engine.h"
#include "engine/rule_snapshot.h"

namespace drip::control {

struct HitTotals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
};

struct RuleState {
  const RuleSpec* rule = nullptr;  ///< Valid until the rules change.
  HitTotals hits;
  FlowRuleStats flows;
};

/// What sends packets to this bucket, in words: `rule "a"`, `the default`.
[[nodiscard]] std::vector<std::string> users_of(const RuleSetSpec& rules,
                                                std::string_view bucket_id);

/// Not thread safe: all calls under the lock that changes of buckets and rules share.
class RuleStore {
 public:
  RuleStore(Engine& engine, const BucketRegistry& buckets) : engine_(engine), buckets_(buckets) {}

  /// Puts an empty rule set in place unless there is one. Until then no packet is taken, so that
  /// the rules of a file hold for the first one.
  [[nodiscard]] absl::Status start();

  /// Replaces all, or nothing: NOT_FOUND naming a bucket or port that does not exist, or what the
  /// engine refuses. Hits of rules that keep their id go on.
  [[nodiscard]] absl::Status replace(RuleSetSpec rules);
  /// Adds the rule, or replaces the one with its id, in its place. True if it was added.
  [[nodiscard]] absl::StatusOr<bool> set(RuleSpec rule);
  /// NOT_FOUND if there is none.
  [[nodiscard]] absl::Status erase(std::string_view id);

  [[nodiscard]] const RuleSetSpec& rules() const { return rules_; }
  /// Grows by one with each change, unless somebody else counts.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }
  void set_revision(std::uint64_t revision) { revision_ = revision; }
  /// In the order in which they are tried.
  [[nodiscard]] std::vector<RuleState> list() const;
  [[nodiscard]] HitTotals default_hits() const;
  [[nodiscard]] HitTotals protected_hits() const;

  /// By rule of rules().
  [[nodiscard]] const FlowSets& flow_sets() const { return flow_sets_; }

 private:
  // All but the numbers of the flow sets.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<RuleSnapshot>> compile(
      const RuleSetSpec& rules) const;
  [[nodiscard]] absl::StatusOr<RuleAction> action_of(const RuleSpec& rule) const;
  [[nodiscard]] absl::StatusOr<BucketRef> bucket_named(std::string_view field,
                                                       std::string_view id) const;
  [[nodiscard]] HitTotals snapshot_hits(std::size_t index) const;
  void keep_hits(const RuleSetSpec& next);

  Engine& engine_;
  const BucketRegistry& buckets_;
  RuleSetSpec rules_;
  FlowSets flow_sets_;
  std::shared_ptr<const RuleSnapshot> snapshot_;
  std::uint64_t revision_ = 0;
  // What snapshots before the present one counted.
  std::map<std::string, HitTotals> kept_hits_;
  HitTotals kept_default_;
  HitTotals kept_protected_;
};

}  // namespace drip::control
