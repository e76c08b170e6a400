// SPDX-License-Identifier: BSD-3-Clause
// The forest of the stored buckets.
#include "cluster/config/stored_trees.h"

namespace drip::cluster {

StoredTrees::StoredTrees(const StoredConfig& config) : config_(config) {
  for (const auto& [id, bucket] : config.buckets) forest_.add(id, bucket.place);
}

std::optional<control::BucketDefinition> StoredTrees::find(std::string_view id) const {
  const auto bucket = config_.buckets.find(id);
  if (bucket == config_.buckets.end()) return std::nullopt;
  return control::BucketDefinition{bucket->second.settings, bucket->second.sharing,
                                   bucket->second.place};
}

}  // namespace drip::cluster
