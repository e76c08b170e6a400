// SPDX-License-Identifier: BSD-3-Clause
// All changes of buckets and rules, one after another and each of them all or nothing.
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

/// ABORTED, naming both revisions, unless `expected` is absent or equal to `present`, which is 0
/// for a bucket that does not exist.
[[nodiscard]] absl::Status check_revision(std::string_view path, std::string_view bucket_id,
                                          std::optional<std::uint64_t> expected,
                                          std::uint64_t present);

/// FAILED_PRECONDITION, naming the rules that send packets to the bucket; OK if there are none.
[[nodiscard]] absl::Status check_unused(std::string_view field, std::string_view bucket_id,
                                        const RuleSetSpec& rules);

/// FAILED_PRECONDITION if the bucket has children.
[[nodiscard]] absl::Status check_childless(std::string_view field, std::string_view bucket_id,
                                           std::size_t children);

/// The buckets and rules of a configuration file.
struct FileConfig {
  std::vector<BucketPatch> buckets;  ///< An absent field has its default, not its present value.
  std::optional<RuleSetSpec> rules;  ///< None: the file has no rules section.
  std::string digest = {};           ///< Of its buckets and rules, to know the same file again.
};

/// The buckets and rules of a cluster.
struct SharedConfig {
  struct Bucket {
    BucketPatch patch;  ///< Every field is set.
    std::uint64_t revision = 0;
  };
  std::vector<Bucket> buckets;  ///< In order of id.
  RuleSetSpec rules;
  std::uint64_t rules_revision = 0;
};

/// What the configuration file of the last replace() had.
struct FileMemory {
  std::set<std::string> buckets;
  std::set<std::string> lists;
  bool had_rules = false;
};

/// Thread safe. A call waits for calls before it and for the polling threads, usually some
/// milliseconds.
class Configuration {
 public:
  Configuration(Engine& engine, BucketRegistry& buckets)
      : buckets_(buckets), rules_(engine, buckets) {}

  /// Lets the workers take packets. To be called after replace() with the file, if there is one, so
  /// that the file's rules apply to the first packet.
  [[nodiscard]] absl::Status start();

  /// Creates and changes buckets. ABORTED if a bucket is not at the revision that its patch
  /// expects; otherwise the errors of BucketRegistry::apply(). Afterwards the buckets are at
  /// `revision`; 0: the next one of the node's own count.
  [[nodiscard]] absl::StatusOr<BucketRegistry::Applied> configure(
      std::span<const BucketPatch> patches, std::uint64_t revision = 0);
  /// NOT_FOUND; FAILED_PRECONDITION naming the rules that still send packets to the bucket, or if
  /// it has children; ABORTED if it is not at `expected_revision`. `recursive`: with all that is
  /// below it, or nothing.
  [[nodiscard]] absl::StatusOr<Removal> delete_bucket(
      std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision = {},
      bool recursive = false);

  struct Revision {
    std::uint64_t number = 0;
    bool created = false;
  };
  /// ABORTED if the rules are not at the revision `expected`; otherwise the errors of
  /// RuleStore::replace(). `revision` as for configure().
  [[nodiscard]] absl::StatusOr<Revision> set_rules(
      RuleSetSpec rules, std::optional<std::uint64_t> expected = std::nullopt,
      std::uint64_t revision = 0);
  [[nodiscard]] absl::StatusOr<Revision> set_rule(RuleSpec rule, std::uint64_t revision = 0);
  [[nodiscard]] absl::StatusOr<Revision> delete_rule(std::string_view id,
                                                     std::uint64_t revision = 0);
  [[nodiscard]] std::uint64_t rules_revision() const;
  /// The last revision that a bucket got by the node's own count.
  [[nodiscard]] std::uint64_t revision() const;
  [[nodiscard]] FileMemory file_memory() const;
  /// Makes an empty configuration that which an earlier process of this node had.
  /// FAILED_PRECONDITION with what this node cannot have, and why; then a part may be there.
  [[nodiscard]] absl::Status restore(const SharedConfig& wanted, std::uint64_t revision,
                                     FileMemory file);

  /// See RuleStore::merge_added().
  void merge_added_rules();

  /// Calls use(rules) with the lock held: rules, buckets and per-flow rules do not change
  /// meanwhile.
  void with_rules(absl::FunctionRef<void(const RuleStore&)> use) const;
  /// The same for readers that do not wait while the configuration is being changed, which may take
  /// seconds: then it returns false and does nothing.
  [[nodiscard]] bool try_with_rules(absl::FunctionRef<void(const RuleStore&)> use) const;

  /// Applies a configuration file: creates and changes buckets that differ, replaces the rules if
  /// the file has rules (or had at the last call), then drains buckets that the file of the last
  /// call had and this one has not. Buckets and rules that the API made stay. All or nothing;
  /// FAILED_PRECONDITION if a rule still uses a bucket that would be removed.
  [[nodiscard]] absl::Status replace(FileConfig file);

  /// Applies the cluster's configuration as far as possible, and removes all other buckets. What
  /// fails, because memory or a port is missing, stays as it was. Returns the errors. Looks only at
  /// buckets and rules whose revision differs, unless `all`.
  [[nodiscard]] std::vector<absl::Status> reconcile(const SharedConfig& wanted, bool all);

 private:
  void reconcile_buckets(const SharedConfig& wanted, bool all, std::vector<absl::Status>& errors)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void remove_others(const SharedConfig& wanted, std::vector<absl::Status>& errors)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Applies patches at one revision, 0: the node's next one, which becomes the node's.
  absl::StatusOr<BucketRegistry::Applied> apply(std::span<const BucketPatch> patches,
                                                std::uint64_t revision)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Patches for the buckets that do not exist or differ, with every field set.
  [[nodiscard]] absl::StatusOr<std::vector<BucketPatch>> differing(
      std::span<const BucketPatch> wanted) const;
  // Buckets that the file named at the last call and that are not in `names`.
  [[nodiscard]] std::vector<BucketEntryRef> removed_from_file(
      const std::set<std::string>& names) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  BucketRegistry& buckets_;
  mutable Mutex mutex_;
  RuleStore rules_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;
  FileMemory file_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::control
