// SPDX-License-Identifier: BSD-3-Clause
// Changes go into Redis first; this node, like every other, applies them in order of revision.
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
#include "cluster/redis/cluster_log.h"
#include "control/config/configuration.h"
#include "control/config/configuration_changes.h"

namespace drip::cluster {

/// A change is worked out on what this node has applied, and committed on top of just that
/// revision; if another node was faster, it is worked out anew. It is applied when the call
/// returns. If this node cannot apply its own change (for want of memory, or of a port that a rule
/// names), it takes the change back and the caller gets the reason.
///
/// The calls of ConfigurationChanges and all that is not said to be thread safe are for thread().
class SharedConfiguration final : public control::ConfigurationChanges {
 public:
  SharedConfiguration(const MembershipOptions& options, const std::string& incarnation, Log log,
                      control::Configuration& configuration);
  ~SharedConfiguration() override { stop(); }

  /// Thread safe. Catches up, on thread(), if `head` is not where this node is.
  void head_seen(const ConfigHead& head);
  /// Thread safe.
  [[nodiscard]] AppliedConfig applied() const;
  [[nodiscard]] WorkThread& thread() { return thread_; }
  void stop() { thread_.stop(); }

  absl::StatusOr<control::BucketRegistry::Applied> configure(
      std::span<const control::BucketPatch> patches, Deadline deadline) override;
  absl::StatusOr<Removal> delete_bucket(std::string_view id, bool drop_backlog,
                                        std::optional<std::uint64_t> expected_revision,
                                        Deadline deadline) override;
  absl::StatusOr<control::Configuration::Revision> set_rules(
      control::RuleSetSpec rules, std::optional<std::uint64_t> expected_revision,
      Deadline deadline) override;
  absl::StatusOr<control::Configuration::Revision> set_rule(control::RuleSpec rule,
                                                            Deadline deadline) override;
  absl::StatusOr<control::Configuration::Revision> delete_rule(std::string_view id,
                                                               Deadline deadline) override;
  /// Buckets that the cluster does not have are added to it, and the rules if it has never had any;
  /// what it has stands. If the cluster cannot be reached the file is in force on this node alone
  /// until it can.
  absl::Status replace(control::FileConfig wanted) override;

 private:
  using Compute = std::function<absl::StatusOr<ConfigChange>(const StoredConfig&)>;

  // Commits and applies; the configuration as it was just before.
  [[nodiscard]] absl::StatusOr<StoredConfig> change(Deadline deadline, const Compute& compute);
  [[nodiscard]] absl::StatusOr<ConfigStore::Committed> commit(const ConfigChange& change,
                                                              const std::string& tip);
  void take_back(const ConfigChange& change, const StoredConfig& before);
  [[nodiscard]] absl::StatusOr<control::Configuration::Revision> change_rules_by(
      Deadline deadline, const Compute& compute);

  // Brings this node to the present revision. UNAVAILABLE while it cannot.
  [[nodiscard]] absl::Status catch_up();
  [[nodiscard]] bool is_ahead_of_us(const ConfigStore::LogPage& page) const;
  [[nodiscard]] absl::Status settle(const ConfigHead& head);
  [[nodiscard]] absl::Status read_all();
  [[nodiscard]] absl::Status apply(const ConfigStore::LogEntry& entry);
  void put_in_force(const ConfigChange& change);
  void reconcile(bool all);
  [[nodiscard]] absl::Status seed();
  void refused(const absl::Status& status);
  void publish();
  void housekeeping();
  [[nodiscard]] std::string new_tip();

  const std::chrono::milliseconds lease_;
  const std::string incarnation_;
  const Log log_;
  control::Configuration& configuration_;
  ConfigStore store_;

  // The thread's own.
  StoredConfig config_;
  bool synced_ = false;                      // Has read Redis's configuration since the start.
  bool in_force_ = false;                    // What was read last, but for refusals_.
  std::optional<control::FileConfig> seed_;  // What of the file may be wanting in Redis.
  std::uint64_t tips_ = 0;
  std::vector<absl::Status> refusals_;  // What of config_ is not in force.
  std::string last_applied_tip_;        // Of the last entry of the log that was applied.
  std::optional<Removal> removal_;      // What the last deletion left.

  mutable Mutex mutex_;
  AppliedConfig applied_ ABSL_GUARDED_BY(mutex_);
  std::string applied_tip_ ABSL_GUARDED_BY(mutex_);
  bool catching_up_ ABSL_GUARDED_BY(mutex_) = false;
  WorkThread thread_;
};

}  // namespace drip::cluster
