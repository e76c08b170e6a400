// SPDX-License-Identifier: BSD-3-Clause
// The cluster's configuration and its changes as they are stored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/configuration.h"
#include "control/model/bucket_patch.h"
#include "control/model/bucket_place.h"
#include "control/model/bucket_sharing.h"
#include "control/model/rule_spec.h"
#include "drip/bucket_settings.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cluster {

struct StoredBucket {
  BucketSettings settings;
  control::BucketSharing sharing;
  control::BucketPlace place;
  std::uint64_t revision = 0;
};

/// As of one revision. Not thread safe.
struct StoredConfig {
  std::string dataset;
  std::uint64_t revision = 0;
  std::string change_id;
  std::map<std::string, StoredBucket, std::less<>> buckets;
  control::RuleSetSpec rules;
  std::uint64_t rules_revision = 0;  ///< 0: nobody has ever set rules.
  /// Changes of single rules since Redis got the rules as a whole.
  std::size_t rule_changes = 0;

  /// Replaces all rules, as Redis then has them as a whole.
  void set_rules(control::RuleSetSpec next);
  /// Adds it at the end, or replaces the one with its id.
  void set_rule(control::RuleSpec rule);
  void erase_rule(std::string_view id);
  /// Whether all rules are stored as a whole with the next change of a single rule: when there are
  /// half as many such changes as rules, and 128 at least. So what a change writes does not grow
  /// with the number of rules, and reading them takes at most half as much again. All nodes count
  /// the same.
  [[nodiscard]] bool stores_rules_next() const;
  /// Null if there is none; valid until the rules change.
  [[nodiscard]] const control::RuleSpec* find_rule(std::string_view id) const;
  [[nodiscard]] control::SharedConfig wanted() const;

 private:
  // The index of each rule by its id.
  std::unordered_map<std::string, std::size_t> rule_indices_;
};

/// One change. Its data is a message of the API, complete: ConfigureBucketsRequest,
/// DeleteBucketRequest, SetRulesRequest, SetRuleRequest or DeleteRuleRequest.
struct ConfigChange {
  enum class Op : std::uint8_t { kBuckets, kDelete, kRules, kRule, kDeleteRule };
  Op op = Op::kBuckets;
  std::string data;
};
[[nodiscard]] std::string_view name_of(ConfigChange::Op op);
/// None if it is of a later version of Drip.
[[nodiscard]] std::optional<ConfigChange::Op> op_named(std::string_view name);
[[nodiscard]] constexpr bool is_of_one_rule(ConfigChange::Op op) {
  return op == ConfigChange::Op::kRule || op == ConfigChange::Op::kDeleteRule;
}

// Changes on top of a configuration. An invalid change is rejected here, before it reaches Redis.

/// The errors of BucketRegistry::apply() and check_trees(); ABORTED for another revision.
[[nodiscard]] absl::StatusOr<ConfigChange> change_buckets(
    const StoredConfig& config, std::span<const control::BucketPatch> patches);
/// NOT_FOUND, FAILED_PRECONDITION if a rule still names it or, unless `recursive`, if it has
/// children; ABORTED.
[[nodiscard]] absl::StatusOr<ConfigChange> change_by_deleting(
    const StoredConfig& config, std::string_view id, bool drop_backlog, bool recursive,
    std::optional<std::uint64_t> expected_revision);
/// NOT_FOUND naming a bucket that a rule names.
[[nodiscard]] absl::StatusOr<ConfigChange> change_rules(const StoredConfig& config,
                                                        const control::RuleSetSpec& rules);
/// Of one rule, which is added or replaced; costs no more the more rules there are. Errors as for
/// change_rules().
[[nodiscard]] absl::StatusOr<ConfigChange> change_rule(const StoredConfig& config,
                                                       const control::RuleSpec& rule);
/// NOT_FOUND if there is no rule of this id.
[[nodiscard]] absl::StatusOr<ConfigChange> change_by_deleting_rule(const StoredConfig& config,
                                                                   std::string_view id);

/// The changes that revert `change`; `before` is the configuration before it.
[[nodiscard]] std::vector<ConfigChange> inverse_of(const ConfigChange& change,
                                                   const StoredConfig& before);

/// The buckets that it deletes, parents first.
[[nodiscard]] std::vector<std::string> deleted_by(const v1::DeleteBucketRequest& request,
                                                  const StoredConfig& before);

/// Applies it to `config` as that revision. INTERNAL if the data cannot be read.
[[nodiscard]] absl::Status apply_change(const ConfigChange& change, std::uint64_t revision,
                                        StoredConfig& config);
/// The rules alone, without their revision. REQUIRES: is_of_one_rule(change.op).
[[nodiscard]] absl::Status apply_rule_change(const ConfigChange& change, StoredConfig& config);

/// What the patch makes of the bucket; null: of none. At revision 0.
[[nodiscard]] absl::StatusOr<StoredBucket> define_bucket(const control::BucketPatch& patch,
                                                         const StoredBucket* present);

/// Every field set.
[[nodiscard]] control::BucketPatch patch_of(const std::string& id, const StoredBucket& bucket);

}  // namespace drip::cluster
