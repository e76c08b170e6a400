// SPDX-License-Identifier: BSD-3-Clause
// The cluster's configuration and its changes as they are stored.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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
#include "drip/v1/bucket.pb.h"

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

  [[nodiscard]] control::SharedConfig wanted() const;
};

/// One change. Its data is a message of the API, complete: ConfigureBucketsRequest,
/// DeleteBucketRequest or SetRulesRequest.
struct ConfigChange {
  enum class Op : std::uint8_t { kBuckets, kDelete, kRules };
  Op op = Op::kBuckets;
  std::string data;
};
[[nodiscard]] std::string_view name_of(ConfigChange::Op op);
/// None if it is of a later version of Drip.
[[nodiscard]] std::optional<ConfigChange::Op> op_named(std::string_view name);

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

/// The changes that revert `change`; `before` is the configuration before it.
[[nodiscard]] std::vector<ConfigChange> inverse_of(const ConfigChange& change,
                                                   const StoredConfig& before);

/// Applies it to `config` as that revision. INTERNAL if the data cannot be read.
[[nodiscard]] absl::Status apply_change(const ConfigChange& change, std::uint64_t revision,
                                        StoredConfig& config);

// The form in which Redis stores each.

[[nodiscard]] std::string encode(const std::string& id, const StoredBucket& bucket);
[[nodiscard]] absl::StatusOr<StoredBucket> decode_bucket(const std::string& bytes);
[[nodiscard]] std::string encode(const control::RuleSetSpec& rules);
[[nodiscard]] absl::StatusOr<control::RuleSetSpec> decode_rules(const std::string& bytes);

/// Every field set.
[[nodiscard]] control::BucketPatch patch_of(const std::string& id, const StoredBucket& bucket);

}  // namespace drip::cluster
