// SPDX-License-Identifier: BSD-3-Clause
// Children by the parent's name.
#include "cluster/config/stored_trees.h"

namespace drip::cluster {

StoredTrees::StoredTrees(const StoredConfig& config) : config_(config) {
  for (const auto& [id, bucket] : config.buckets) {
    const control::BucketPlace& place = bucket.place;
    if (place.parent_id.empty()) continue;
    Children& children = parents_[place.parent_id];
    children.ids.push_back(id);
    children.sums.units_per_second += place.share.guaranteed_units_per_second;
    children.sums.bits_per_second += place.share.guaranteed_bits_per_second;
  }
}

std::optional<control::BucketDefinition> StoredTrees::find(std::string_view id) const {
  const auto bucket = config_.buckets.find(id);
  if (bucket == config_.buckets.end()) return std::nullopt;
  return control::BucketDefinition{bucket->second.settings, bucket->second.sharing,
                                   bucket->second.place};
}

control::GuaranteeSums StoredTrees::sums_of(std::string_view id) const {
  const auto parent = parents_.find(id);
  return parent == parents_.end() ? control::GuaranteeSums{} : parent->second.sums;
}

void StoredTrees::for_each_child(std::string_view id,
                                 absl::FunctionRef<void(std::string_view)> use) const {
  const auto parent = parents_.find(id);
  if (parent == parents_.end()) return;
  for (const std::string_view child : parent->second.ids) use(child);
}

std::size_t StoredTrees::children_of(std::string_view id) const {
  const auto parent = parents_.find(id);
  return parent == parents_.end() ? 0 : parent->second.ids.size();
}

std::vector<std::string> StoredTrees::subtree(std::string_view id) const {
  std::vector<std::string> result{std::string(id)};
  for (std::size_t next = 0; next < result.size(); ++next) {
    const std::string parent = result[next];
    for_each_child(parent, [&](std::string_view child) { result.emplace_back(child); });
  }
  return result;
}

}  // namespace drip::cluster
