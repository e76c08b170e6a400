// SPDX-License-Identifier: BSD-3-Clause
// The form in which Redis stores buckets, rules and changes: messages of the API.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/config/stored_config.h"
#include "control/model/rule_spec.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cluster {

/// What a change writes beside itself.
struct StoredForm {
  std::vector<std::pair<std::string, std::string>> buckets;  ///< Id and bytes.
  std::vector<std::string> removed;                          ///< Ids of buckets.
  std::optional<std::string> all_rules;                      ///< If they are stored as a whole.
};
/// INTERNAL if the data cannot be read.
[[nodiscard]] absl::StatusOr<StoredForm> stored_form(const ConfigChange& change,
                                                     const StoredConfig& before);

[[nodiscard]] std::string encode(const std::string& id, const StoredBucket& bucket);
[[nodiscard]] absl::StatusOr<StoredBucket> decode_bucket(const std::string& bytes);
[[nodiscard]] std::string encode(const control::RuleSetSpec& rules);
[[nodiscard]] absl::StatusOr<control::RuleSetSpec> decode_rules(const std::string& bytes);

void write_stored(const std::string& id, const StoredBucket& bucket, v1::BucketConfig& config);
/// At revision 0.
[[nodiscard]] absl::StatusOr<StoredBucket> read_stored(const v1::BucketConfig& config);
[[nodiscard]] v1::RuleSet message_of_rules(const control::RuleSetSpec& rules);

/// INTERNAL: the cluster's configuration holds `what`.
[[nodiscard]] absl::Status unreadable(std::string_view what);

}  // namespace drip::cluster
