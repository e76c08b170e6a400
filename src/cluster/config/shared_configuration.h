// SPDX-License-Identifier: BSD-3-Clause
// The configuration of a cluster node: changes go to Redis first, then every node applies them in
// order of revision.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/work_thread.h"
#include "cluster/config/config_store.h"
#include "cluster/config/stored_config.h"
#include "cluster/membership/membership.h"
#include "control/config/configuration.h"
#include "control/config/configuration_changes.h"

namespace drip::cluster {

/// Optimistic concurrency: a change is computed from the revision that this node has applied and
/// committed on top of exactly that one. If another node committed first, this node catches up and
/// computes it again. When the call returns the change has been applied here. If this node cannot
/// apply its own change (not enough memory, or a rule names a port that it lacks), it reverts the
/// change and returns the reason.
///
/// Functions that are not marked thread safe are called on thread() only.
class SharedConfiguration final : public control::ConfigurationChanges {
 public:
  SharedConfiguration(const MembershipOptions& options, const std::string& incarnation,
                      control::Configuration& configuration);
  ~SharedConfiguration() override { stop(); }

  /// Thread safe. Catches up, on thread(), if `head` differs from what this node has applied.
  void head_seen(const ConfigHead& head);
  /// Thread safe.
  [[nodiscard]] AppliedConfig applied() const;
  [[nodiscard]] WorkThread& thread() { return thread_; }
  void stop() { thread_.stop(); }

  absl::StatusOr<control::BucketRegistry::Applied> configure(
      std::span<const control::BucketPatch> patches, Deadline deadline) override;
  absl::StatusOr<Removal> delete_bucket(std::string_view id, bool drop_backlog,
                                        std::optional<std::uint64_t> expected_revision,
                                        bool recursive, Deadline deadline) override;
  absl::StatusOr<control::Configuration::Revision> set_rules(
      control::RuleSetSpec rules, std::optional<std::uint64_t> expected_revision,
      Deadline deadline) override;
  absl::StatusOr<control::Configuration::Revision> set_rule(control::RuleSpec rule,
                                                            Deadline deadline) override;
  absl::StatusOr<control::Configuration::Revision> delete_rule(std::string_view id,
                                                               Deadline deadline) override;
  /// Adds to the cluster the buckets that it lacks, and the rules if it never had any; existing
  /// ones stay as they are. While Redis is unreachable `wanted` is active on this node only.
  absl::Status replace(control::FileConfig wanted) override;

 private:
  using Compute = std::function<absl::StatusOr<ConfigChange>(const StoredConfig&)>;

  // Commits and applies what `compute` makes of the configuration that it is based on.
  [[nodiscard]] absl::Status change(Deadline deadline, const Compute& compute);
  void revert(const std::vector<ConfigChange>& inverse);
  [[nodiscard]] absl::StatusOr<control::Configuration::Revision> change_rules_by(
      Deadline deadline, const Compute& compute);

  // Applies all up to the head revision, or up to the change `last` if that comes before: then what
  // is read next is the state after it and not after those of others. UNAVAILABLE while that is not
  // possible.
  [[nodiscard]] absl::Status catch_up(std::string_view last = {});
  [[nodiscard]] bool continues_from_here(const ConfigStore::LogPage& page) const;
  [[nodiscard]] absl::Status recover(const ConfigHead& head);
  [[nodiscard]] absl::Status read_all();
  [[nodiscard]] absl::Status apply(const ConfigStore::LogEntry& entry);
  // `rules_before`: the revision of the rules before the change.
  void apply_here(const ConfigChange& change, std::uint64_t rules_before);
  [[nodiscard]] absl::Status apply_rules_here(const ConfigChange& change,
                                              std::uint64_t rules_before);
  void reconcile(bool all);
  [[nodiscard]] absl::Status seed();
  void publish();
  void housekeeping();
  [[nodiscard]] std::string new_change_id();

  const std::chrono::milliseconds lease_;
  const std::string incarnation_;
  control::Configuration& configuration_;
  ConfigStore store_;

  // Used by thread() only.
  StoredConfig config_;
  bool synced_ = false;                      // Redis's configuration was read since the start.
  bool reconciled_ = false;                  // What was read last was applied, except errors_.
  std::optional<control::FileConfig> seed_;  // Of the file, not yet added to Redis.
  std::uint64_t change_ids_ = 0;             // Drawn so far.
  std::vector<absl::Status> errors_;         // Why parts of config_ could not be applied.
  std::string last_applied_id_;              // Change id of the last log entry that was applied.
  std::uint64_t reads_of_all_ = 0;           // Times that it was read without the log.
  std::optional<Removal> removal_;           // Result of the last deletion.

  mutable Mutex mutex_;
  AppliedConfig applied_ ABSL_GUARDED_BY(mutex_);
  std::string applied_change_id_ ABSL_GUARDED_BY(mutex_);
  bool catching_up_ ABSL_GUARDED_BY(mutex_) = false;
  WorkThread thread_;
};

}  // namespace drip::cluster
