// SPDX-License-Identifier: BSD-3-Clause
// All changes of buckets and rules: one after another, each whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/config/bucket_registry.h"
#include "control/config/rule_store.h"
#include "control/model/bucket_patch.h"
#include "control/model/rule_spec.h"
#include "engine/engine.h"

namespace drip::control {

/// ABORTED naming both, unless `expected` is absent or `present`.
[[nodiscard]] absl::Status check_revision(std::string_view path, std::string_view bucket_id,
                                          std::optional<std::uint64_t> expected,
                                          std::uint64_t present);

/// FAILED_PRECONDITION naming the rules that send packets to the bucket.
[[nodiscard]] absl::Status check_unused(std::string_view field, std::string_view bucket_id,
                                        const RuleSetSpec& rules);

/// What the configuration file says.
struct WantedConfig {
  std::vector<BucketPatch> buckets;  ///< An absent field has its default, not its present value.
  std::optional<RuleSetSpec> rules;  ///< None: the file does not speak of rules.
};

/// What a cluster's configuration says.
struct SharedConfig {
  struct Bucket {
    BucketPatch patch;  ///< Every field is set.
    std::uint64_t revision = 0;
  };
  std::vector<Bucket> buckets;  ///< In order of id.
  RuleSetSpec rules;
  std::uint64_t rules_revision = 0;
};

/// Thread safe. A call may wait for others to end and for the polling threads: milliseconds.
class Configuration {
 public:
  Configuration(Engine& engine, BucketRegistry& buckets)
      : buckets_(buckets), rules_(engine, buckets) {}

  /// After what a file says, if there is one: until then no packet is taken.
  [[nodiscard]] absl::Status start();

  /// ABORTED, naming both, if a bucket is not at the revision that is expected. `revision` is what
  /// the changed buckets are at afterwards; 0: the next of this node's own count.
  [[nodiscard]] absl::StatusOr<BucketRegistry::Applied> configure(
      std::span<const BucketPatch> patches, std::uint64_t revision = 0);
  /// NOT_FOUND; FAILED_PRECONDITION naming the rules that still send packets to it; ABORTED.
  [[nodiscard]] absl::StatusOr<Removal> delete_bucket(
      std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision = {});

  struct Revision {
    std::uint64_t number = 0;
    bool created = false;
  };
  /// With `expected`: ABORTED unless that is the present revision. `revision` as for configure().
  [[nodiscard]] absl::StatusOr<Revision> set_rules(
      RuleSetSpec rules, std::optional<std::uint64_t> expected = std::nullopt,
      std::uint64_t revision = 0);
  [[nodiscard]] absl::StatusOr<Revision> set_rule(RuleSpec rule);
  [[nodiscard]] absl::StatusOr<Revision> delete_rule(std::string_view id);

  /// Calls use(rules) while nothing changes, neither rules nor buckets nor flow sets.
  void with_rules(absl::FunctionRef<void(const RuleStore&)> use) const;

  /// Makes the node what the file says: creates and changes buckets that differ, replaces the rules
  /// if the file speaks of them (or did at the last call), then drains buckets that the last call
  /// named and this one does not. Buckets and rules set by other means stay. All or nothing; a
  /// bucket that would go and that a rule still uses is FAILED_PRECONDITION.
  [[nodiscard]] absl::Status replace(WantedConfig wanted);

  /// Makes the node what the cluster says, as far as that can be: what is refused, for want of
  /// memory or of a port, stays as it was. Returns the refusals. Looks only at what is at another
  /// revision, unless `all`.
  [[nodiscard]] std::vector<absl::Status> reconcile(const SharedConfig& wanted, bool all);

 private:
  void reconcile_buckets(const SharedConfig& wanted, bool all, std::vector<absl::Status>& refusals)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void remove_others(const SharedConfig& wanted, std::vector<absl::Status>& refusals)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What comes after a change that worked.
  void number(std::span<const BucketPatch> patches, std::uint64_t revision)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The patches of buckets that are new or differ, with every field set.
  [[nodiscard]] absl::StatusOr<std::vector<BucketPatch>> differing(
      std::span<const BucketPatch> wanted) const;
  // Buckets that the file named before and does not now.
  [[nodiscard]] std::vector<BucketEntryRef> not_wanted(const std::set<std::string>& wanted) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  BucketRegistry& buckets_;
  mutable Mutex mutex_;
  RuleStore rules_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
  std::set<std::string> file_buckets_ ABSL_GUARDED_BY(mutex_);
  bool file_had_rules_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace drip::control
