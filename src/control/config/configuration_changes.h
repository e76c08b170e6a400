// SPDX-License-Identifier: BSD-3-Clause
// Where the API's changes of buckets and rules go: to this node alone, or to its cluster first.
#pragma once

#include <chrono>
#include <cstdint>
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

/// Each call is whole or not at all, and has been applied on this node when it returns OK. Errors
/// are those of Configuration; in a cluster also UNAVAILABLE (nothing was changed), ABORTED (others
/// kept changing the configuration) and DEADLINE_EXCEEDED (the message says whether it is known
/// that nothing was changed).
///
/// All calls are for one thread, the one that carries changes out in order.
class ConfigurationChanges {
 public:
  using Deadline = std::chrono::system_clock::time_point;

  virtual ~ConfigurationChanges() = default;

  [[nodiscard]] virtual absl::StatusOr<BucketRegistry::Applied> configure(
      std::span<const BucketPatch> patches, Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Removal> delete_bucket(
      std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision,
      Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Configuration::Revision> set_rules(
      RuleSetSpec rules, std::optional<std::uint64_t> expected_revision, Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Configuration::Revision> set_rule(RuleSpec rule,
                                                                         Deadline deadline) = 0;
  [[nodiscard]] virtual absl::StatusOr<Configuration::Revision> delete_rule(std::string_view id,
                                                                            Deadline deadline) = 0;
  /// What a configuration file says. In a cluster the file only fills in what is absent.
  [[nodiscard]] virtual absl::Status replace(WantedConfig wanted) = 0;
};

/// On a node that runs by itself.
class LocalChanges final : public ConfigurationChanges {
 public:
  explicit LocalChanges(Configuration& configuration) : configuration_(configuration) {}

  absl::StatusOr<BucketRegistry::Applied> configure(std::span<const BucketPatch> patches,
                                                    Deadline) override {
    return configuration_.configure(patches);
  }
  absl::StatusOr<Removal> delete_bucket(std::string_view id, bool drop_backlog,
                                        std::optional<std::uint64_t> expected_revision,
                                        Deadline) override {
    return configuration_.delete_bucket(id, drop_backlog, expected_revision);
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
  absl::Status replace(WantedConfig wanted) override {
    return configuration_.replace(std::move(wanted));
  }

 private:
  Configuration& configuration_;
};

}  // namespace drip::control
