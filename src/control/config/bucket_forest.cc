// SPDX-License-Identifier: BSD-3-Clause
// Children and sums by the parent's name.
#include "control/config/bucket_forest.h"

namespace drip::control {

void BucketForest::add(std::string_view id, const BucketPlace& place) {
  if (place.parent_id.empty()) return;
  Children& children = parents_[place.parent_id];
  children.ids.emplace(id);
  children.sums += GuaranteeSums::of(place.share);
}

void BucketForest::remove(std::string_view id, const BucketPlace& place) {
  const auto parent = parents_.find(place.parent_id);
  if (parent == parents_.end()) return;
  Children& children = parent->second;
  const auto found = children.ids.find(id);
  if (found == children.ids.end()) return;
  children.ids.erase(found);
  // Without children the sums are exactly zero again.
  if (children.ids.empty()) {
    parents_.erase(parent);
    return;
  }
  children.sums.units_per_second -= place.share.guaranteed_units_per_second;
  children.sums.bits_per_second -= place.share.guaranteed_bits_per_second;
}

GuaranteeSums BucketForest::sums_of(std::string_view id) const {
  const auto parent = parents_.find(id);
  return parent == parents_.end() ? GuaranteeSums{} : parent->second.sums;
}

void BucketForest::set_flow_rules(const std::vector<FlowRule>& rules) {
  flow_sums_.clear();
  for (const FlowRule& rule : rules) flow_sums_[rule.parent_id] += rule.guaranteed;
}

std::optional<GuaranteeSums> BucketForest::flow_sums_of(std::string_view id) const {
  const auto found = flow_sums_.find(id);
  if (found == flow_sums_.end()) return std::nullopt;
  return found->second;
}

std::size_t BucketForest::children_of(std::string_view id) const {
  const auto parent = parents_.find(id);
  return parent == parents_.end() ? 0 : parent->second.ids.size();
}

void BucketForest::for_each_child(std::string_view id,
                                  absl::FunctionRef<void(std::string_view)> use) const {
  const auto parent = parents_.find(id);
  if (parent == parents_.end()) return;
  for (const std::string& child : parent->second.ids) use(child);
}

std::vector<std::string> BucketForest::subtree(std::string_view id) const {
  std::vector<std::string> result{std::string(id)};
  for (std::size_t next = 0; next < result.size(); ++next) {
    const std::string parent = result[next];
    for_each_child(parent, [&](std::string_view child) { result.emplace_back(child); });
  }
  return result;
}

}  // namespace drip::control
