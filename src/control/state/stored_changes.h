// SPDX-License-Identifier: BSD-3-Clause
// Changes of a node that belongs to no cluster and keeps its configuration in a state directory.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/config/configuration_changes.h"
#include "control/state/schedule_keeper.h"
#include "control/state/stored_form.h"
#include "state/batch.h"
#include "state/state_store.h"

namespace drip::control {

/// A change is refused with RESOURCE_EXHAUSTED, and changes nothing, if the disk has no room for
/// it. Otherwise it is active when its call returns, and on the disk when when_stored() says so.
/// Not thread safe, like all ConfigurationChanges.
class StoredChanges final : public ConfigurationChanges {
 public:
  /// All outlive it.
  StoredChanges(Configuration& configuration, BucketRegistry& buckets, state::StateStore& store,
                ScheduleKeeper& schedules)
      : configuration_(configuration), buckets_(buckets), store_(store), schedules_(schedules) {}

  /// Makes the configuration what the store has. DATA_LOSS if that cannot be read;
  /// FAILED_PRECONDITION with what this node cannot have.
  [[nodiscard]] absl::Status restore();
  /// Of the file that replace() had last; empty: of none.
  [[nodiscard]] const std::string& file_digest() const { return file_digest_; }

  absl::StatusOr<BucketRegistry::Applied> configure(std::span<const BucketPatch> patches,
                                                    Deadline deadline) override;
  absl::StatusOr<Removal> delete_bucket(std::string_view id, bool drop_backlog,
                                        std::optional<std::uint64_t> expected_revision,
                                        bool recursive, Deadline deadline) override;
  absl::StatusOr<Configuration::Revision> set_rules(RuleSetSpec rules,
                                                    std::optional<std::uint64_t> expected_revision,
                                                    Deadline deadline) override;
  absl::StatusOr<Configuration::Revision> set_rule(RuleSpec rule, Deadline deadline) override;
  absl::StatusOr<Configuration::Revision> delete_rule(std::string_view id,
                                                      Deadline deadline) override;
  absl::Status replace(FileConfig file) override;
  void when_stored(std::function<void(const absl::Status&)> then) override;

 private:
  using Places = std::map<std::string, std::uint64_t, std::less<>>;

  // OK if there is room for so many bytes more.
  [[nodiscard]] absl::Status reserve(std::size_t bytes);
  void put_buckets(const std::vector<BucketEntryRef>& buckets);
  // What makes the stored rules `after`, if they are `before`; `places` are those after it.
  void put_rules(const RuleSetSpec& before, const RuleSetSpec& after, Places& places,
                 state::Batch& batch) const;
  void put_numbers();

  Configuration& configuration_;
  BucketRegistry& buckets_;
  state::StateStore& store_;
  ScheduleKeeper& schedules_;
  Places places_;
  std::string file_digest_;
  // Not yet given to the store.
  state::Batch batch_;
  std::vector<std::string> changed_;  // Buckets that existed before.
};

}  // namespace drip::control
