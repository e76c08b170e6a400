// SPDX-License-Identifier: BSD-3-Clause
// The interface through which RPCs change buckets and rules: on this node alone, or in its cluster.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/model/bucket_patch.h"
#include "control/model/rule_spec.h"

namespace drip::control {

/// Each call is all or nothing, and is applied on this node when it returns OK. Errors are those of
/// Configuration; in a cluster also UNAVAILABLE (nothing was changed), ABORTED (other nodes kept
/// changing the configuration) and DEADLINE_EXCEEDED (the message says whether it is certain that
/// nothing was changed).
///
/// Not thread safe: all calls are made by the WorkThread that carries out changes in order.
class ConfigurationChanges {
 public:
  using Deadline = std::chrono::system_clock::time_point;

  virtual ~ConfigurationChanges() = default;

  [[nodiscard]] virtual absl::StatusOr<BucketRegistry::Applied> configure(
      std::span<const BucketPatch> patches, Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Removal> delete_bucket(
      std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision,
      bool recursive, Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Configuration::Revision> set_rules(
      RuleSetSpec rules, std::optional<std::uint64_t> expected_revision, Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Configuration::Revision> set_rule(RuleSpec rule,
                                                                         Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Configuration::Revision> delete_rule(std::string_view id,
                                                                            Deadline deadline) = 0;
  /// Applies a configuration file. In a cluster the file only adds what the cluster does not have.
  [[nodiscard]] virtual absl::Status replace(FileConfig file) = 0;

  /// Calls `then` when all that was changed so far is where a restart finds it: within, unless
  /// there is a state directory (dripd --state). An error says that the changes are active, and may
  /// be lost at a restart. To be called after each of the calls above, whether it failed or not.
  virtual void when_stored(std::function<void(const absl::Status&)> then) {
    then(absl::OkStatus());
  }
};

/// Changes on a node that belongs to no cluster.
class LocalChanges final : public ConfigurationChanges {
 public:
  explicit LocalChanges(Configuration& configuration) : configuration_(configuration) {}

  absl::StatusOr<BucketRegistry::Applied> configure(std::span<const BucketPatch> patches,
                                                    Deadline) override {
    return configuration_.configure(patches);
  }
  absl::StatusOr<Removal> delete_bucket(std::string_view id, bool drop_backlog,
                                        std::optional<std::uint64_t> expected_revision,
                                        bool recursive, Deadline) override {
    return configuration_.delete_bucket(id, drop_backlog, expected_revision, recursive);
  }
  absl::StatusOr<Configuration::Revision> set_rules(RuleSetSpec rules,
                                                    std::optional<std::uint64_t> expected_revision,
                                                    Deadline) override {
    return configuration_.set_rules(std::move(rules), expected_revision);
  }
  absl::StatusOr<Configuration::Revision> set_rule(RuleSpec rule, Deadline) override {
    return configuration_.set_rule(std::move(rule));
  }
  absl::StatusOr<Configuration::Revision> delete_rule(std::string_view id, Deadline) override {
    return configuration_.delete_rule(id);
  }
  absl::Status replace(FileConfig file) override { return configuration_.replace(std::move(file)); }

 private:
  Configuration& configuration_;
};

}  // namespace drip::control
