// SPDX-License-Identifier: BSD-3-Clause
// Looks buckets up, and changes them in the engine and by name.
#include "control/config/bucket_registry.h"

#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {

BucketEntryRef BucketRegistry::find(std::string_view id) const {
  ReaderLock lock(names_);
  const auto known = buckets_.find(id);
  return known == buckets_.end() ? nullptr : *known;
}

absl::StatusOr<BucketEntryRef> BucketRegistry::get(std::string_view field,
                                                   std::string_view id) const {
  if (BucketEntryRef bucket = find(id)) return bucket;
  if (absl::Status name = check_name(field, id); !name.ok()) return name;
  return not_found(field, "bucket", id);
}

absl::StatusOr<BucketEntryRef> BucketRegistry::get_leaf(std::string_view field,
                                                        std::string_view id) const {
  absl::StatusOr<BucketEntryRef> bucket = get(field, id);
  if (!bucket.ok()) return bucket;
  if ((*bucket)->inner()) return inner_node_error(field, id, "requests");
  if ((*bucket)->queued()) return packet_queue_error(field, id);
  return bucket;
}

std::size_t BucketRegistry::size() const {
  ReaderLock lock(names_);
  return buckets_.size();
}

std::vector<BucketEntryRef> BucketRegistry::list(std::string_view prefix, std::string_view after,
                                                 std::size_t limit) const {
  std::vector<BucketEntryRef> result;
  ReaderLock lock(names_);
  auto next = after < prefix ? in_order_.lower_bound(prefix) : in_order_.upper_bound(after);
  for (; next != in_order_.end() && result.size() < limit; ++next) {
    if (!(*next)->id_view().starts_with(prefix)) break;
    result.emplace_back(*next);
  }
  return result;
}

std::vector<BucketEntryRef> BucketRegistry::split_buckets() const {
  ReaderLock lock(names_);
  return {split_.begin(), split_.end()};
}

std::vector<BucketEntryRef> BucketRegistry::split_buckets(std::string_view after,
                                                          std::size_t limit) const {
  std::vector<BucketEntryRef> result;
  ReaderLock lock(names_);
  for (auto next = split_.upper_bound(after); next != split_.end() && result.size() < limit;
       ++next) {
    result.emplace_back(*next);
  }
  return result;
}

absl::StatusOr<BucketDefinition> BucketRegistry::define(const BucketPatch& patch,
                                                        const BucketEntry* present) const {
  std::optional<BucketDefinition> before;
  if (present != nullptr) before = present->definition();
  absl::StatusOr<BucketPlace> place = apply_place(patch, before ? &before->place : nullptr);
  if (!place.ok()) return place.status();
  absl::StatusOr<BucketSettings> settings =
      apply_patch(patch, before ? &before->settings : nullptr, place->inner);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<BucketSharing> sharing =
      apply_sharing(patch, *settings, before ? &before->sharing : nullptr);
  if (!sharing.ok()) return sharing.status();
  if (sharing->scope == Scope::kCluster && node_.shared == nullptr) {
    return absl::FailedPreconditionError(joined(
        patch.path, "scope: SCOPE_CLUSTER needs a node that is in a cluster (dripd --cluster)"));
  }
  settings->rate_is_leased = sharing->split();
  return BucketDefinition{*settings, *std::move(sharing), *std::move(place)};
}

// One patch, and what becomes of its bucket.
struct BucketRegistry::Planned {
  const BucketPatch* patch = nullptr;
  BucketEntryRef known;  // Null for a new bucket.
  BucketDefinition before;
  BucketDefinition after;
  std::uint64_t revision = 0;  // From this change on.

  [[nodiscard]] bool changes_place() const { return before.place != after.place; }
};

absl::StatusOr<std::vector<BucketRegistry::Planned>> BucketRegistry::plan(
    std::span<const BucketPatch> patches, std::span<const std::uint64_t> revisions) const {
  std::vector<Planned> planned;
  std::map<std::string_view, const BucketPatch*> seen;
  for (const BucketPatch& patch : patches) {
    const auto [first, fresh] = seen.try_emplace(patch.id, &patch);
    if (!fresh) {
      return not_allowed(joined(patch.path, "bucket_id"), quoted(patch.id),
                         joined("each id once, and ", first->second->path, "bucket_id has it"));
    }
    Planned& one = planned.emplace_back();
    one.patch = &patch;
    one.known = find(patch.id);
    if (one.known != nullptr) {
      one.before = one.known->definition();
      one.revision = one.known->revision();
    }
    if (!revisions.empty()) one.revision = revisions[planned.size() - 1];
    absl::StatusOr<BucketDefinition> after = define(patch, one.known.get());
    if (!after.ok()) return after.status();
    one.after = *std::move(after);
  }
  return planned;
}

namespace {

// The registry's buckets for check_trees().
class RegistryTrees final : public BucketTrees {
 public:
  /// `with_flows`: the buckets of per-flow rules are children as well.
  RegistryTrees(const BucketRegistry& buckets, const BucketForest& forest, bool with_flows)
      : buckets_(buckets), forest_(forest), with_flows_(with_flows) {}
  [[nodiscard]] std::optional<BucketDefinition> find(std::string_view id) const override {
    const BucketEntryRef bucket = buckets_.find(id);
    if (bucket == nullptr) return std::nullopt;
    return bucket->definition();
  }
  [[nodiscard]] GuaranteeSums sums_of(std::string_view id) const override {
    GuaranteeSums sums = forest_.sums_of(id);
    if (with_flows_) sums += forest_.flow_sums_of(id).value_or(GuaranteeSums{});
    return sums;
  }
  void for_each_child(std::string_view id,
                      absl::FunctionRef<void(std::string_view)> use) const override {
    forest_.for_each_child(id, use);
    if (with_flows_ && forest_.flow_sums_of(id)) use(kFlowsOfARule);
  }

 private:
  const BucketRegistry& buckets_;
  const BucketForest& forest_;
  bool with_flows_;
};

// The buckets of a per-flow rule as one child of their parent, which has what all of them may have.
BucketDefinition all_flows_of(const RuleSpec::PerFlow& rule) {
  BucketDefinition all{rule.bucket, {}, rule.place};
  const auto times = [&](double& rate) { rate *= rule.most_buckets(); };
  times(all.settings.units_per_second);
  times(all.settings.bits_per_second);
  times(all.place.share.guaranteed_units_per_second);
  times(all.place.share.guaranteed_bits_per_second);
  return all;
}

}  // namespace

// Checks what concerns trees, and puts each bucket behind its parent.
absl::Status BucketRegistry::order(std::vector<Planned>& planned) const {
  std::vector<TreeChange> changes;
  std::vector<std::size_t> numbers;  // In `planned`.
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const Planned& one = planned[i];
    const bool was_in_tree = one.before.place.in_tree();
    if (!was_in_tree && !one.after.place.in_tree() && !one.after.place.spread) continue;
    changes.push_back({one.patch->id, one.patch->path, &one.after});
    numbers.push_back(i);
  }
  if (changes.empty()) return absl::OkStatus();
  const auto in_order = check_trees(RegistryTrees(*this, forest_, true), changes);
  if (!in_order.ok()) return in_order.status();
  std::vector<Planned> nodes;
  for (const std::size_t i : *in_order) nodes.push_back(std::move(planned[numbers[i]]));
  for (std::size_t i = 0; i < nodes.size(); ++i) planned[numbers[i]] = std::move(nodes[i]);
  return absl::OkStatus();
}

absl::StatusOr<BucketRegistry::Applied> BucketRegistry::apply(
    std::span<const BucketPatch> patches, std::span<const std::uint64_t> revisions) {
  auto planned = plan(patches, revisions);
  if (!planned.ok()) return planned.status();
  if (absl::Status status = order(*planned); !status.ok()) return status;

  std::vector<BucketChange> changes;
  std::map<std::string_view, std::size_t> created;  // By name: their changes.
  for (const Planned& one : *planned) {
    BucketChange& change = changes.emplace_back();
    change.settings = one.after.settings;
    if (one.known != nullptr) {
      change.ref = one.known->ref();
    } else {
      created.emplace(one.patch->id, changes.size() - 1);
    }
    if (one.after.sharing.exact() && one.after.sharing.failure_policy != FailurePolicy::kOpen) {
      change.settings.capacity = 1;  // Nothing ever waits here.
    }
    if (!one.changes_place()) continue;
    const std::string& parent = one.after.place.parent_id;
    change.node = {one.after.place.inner, std::nullopt, std::nullopt, one.after.place.share,
                   one.after.place.spread};
    change.moves = one.known != nullptr && parent != one.before.place.parent_id;
    if (parent.empty()) continue;
    if (const auto fresh = created.find(parent); fresh != created.end()) {
      change.node->parent_change = fresh->second;
    } else {
      change.node->parent = find(parent)->ref();
    }
  }
  if (absl::Status status = node_.engine.apply(changes); !status.ok()) return status;

  Applied applied;
  for (std::size_t i = 0; i < planned->size(); ++i) {
    commit((*planned)[i], changes[i].ref.value(), applied);
  }
  return applied;
}

void BucketRegistry::commit(const Planned& planned, BucketRef ref, Applied& applied) {
  if (planned.changes_place()) {
    if (planned.known != nullptr) forest_.remove(planned.patch->id, planned.before.place);
    forest_.add(planned.patch->id, planned.after.place);
  }
  const bool split = planned.after.sharing.split();
  if (planned.known != nullptr) {
    ++applied.changed;
    planned.known->change(planned.after, planned.revision);
    const bool was_split = planned.before.sharing.split();
    if (split != was_split) {
      WriterLock lock(names_);
      if (split) {
        split_.insert(planned.known.get());
      } else {
        split_.erase(planned.known.get());
      }
    }
    if (split || was_split) split_changes_.fetch_add(1, std::memory_order_release);
    return;
  }
  ++applied.created;
  const BucketEntryRef bucket(
      BucketEntry::make(node_, planned.patch->id, ref, planned.after, planned.revision));
  WriterLock lock(names_);
  buckets_.insert(bucket);
  in_order_.insert(bucket.get());
  if (!split) return;
  split_.insert(bucket.get());
  split_changes_.fetch_add(1, std::memory_order_release);
}

absl::Status BucketRegistry::check_flow_rules(const RuleSetSpec& rules) const {
  std::deque<std::string> texts;  // Which the changes refer to.
  std::deque<BucketDefinition> definitions;
  std::vector<TreeChange> each;
  std::vector<TreeChange> together;
  for (const RuleSpec& rule : rules.rules) {
    const RuleSpec::PerFlow* const per_flow = rule.per_flow();
    if (per_flow == nullptr || per_flow->place.parent_id.empty()) continue;
    const std::string& id = texts.emplace_back(joined(kFlowsOfARule, rule.id));
    const std::string& path = texts.emplace_back(joined(rule.path, "per_flow.bucket."));
    const BucketDefinition one{per_flow->bucket, BucketSharing{}, per_flow->place};
    each.push_back({id, path, &definitions.emplace_back(one)});
    together.push_back({id, path, &definitions.emplace_back(all_flows_of(*per_flow))});
  }
  const RegistryTrees trees(*this, forest_, false);
  // First what a single one may not have, for the figures in the text.
  absl::Status status = check_trees(trees, each).status();
  return status.ok() ? check_trees(trees, together).status() : status;
}

void BucketRegistry::set_flow_rules(const RuleSetSpec& rules) {
  std::vector<BucketForest::FlowRule> flow_rules;
  for (const RuleSpec& rule : rules.rules) {
    const RuleSpec::PerFlow* const per_flow = rule.per_flow();
    if (per_flow == nullptr || per_flow->place.parent_id.empty()) continue;
    flow_rules.push_back({per_flow->place.parent_id,
                          GuaranteeSums::of(per_flow->place.share, per_flow->most_buckets())});
  }
  forest_.set_flow_rules(flow_rules);
}

std::size_t BucketRegistry::children_of(std::string_view id) const {
  return forest_.children_of(id);
}

std::vector<BucketEntryRef> BucketRegistry::subtree(std::string_view id) const {
  std::vector<BucketEntryRef> result;
  if (find(id) == nullptr) return result;
  for (const std::string& name : forest_.subtree(id)) result.push_back(find(name));
  return result;
}

std::vector<BucketEntryRef> BucketRegistry::moving_with(const BucketEntryRef& bucket) const {
  if (!bucket->place().in_tree()) return {bucket};
  BucketEntryRef root = bucket;
  for (std::string parent_id = root->place().parent_id; !parent_id.empty();) {
    const BucketEntryRef parent = find(parent_id);
    if (parent == nullptr) return {};
    const BucketPlace place = parent->place();
    if (place.spread) {
      if (root == bucket && !bucket->inner()) return {bucket};
      return {};
    }
    root = parent;
    parent_id = place.parent_id;
  }
  std::vector<BucketEntryRef> nodes = {std::move(root)};
  for (std::size_t next = 0; next < nodes.size(); ++next) {
    const std::string_view parent = nodes[next]->id_view();
    if (forest_.flow_sums_of(parent) ||
        nodes.size() + forest_.children_of(parent) > Engine::kMostNodesOfAMove) {
      return {};
    }
    forest_.for_each_child(parent, [&](std::string_view child) { nodes.push_back(find(child)); });
  }
  return nodes;
}

bool BucketRegistry::takes_packets(const BucketPatch& patch) const {
  const absl::StatusOr<BucketDefinition> definition = define(patch, find(patch.id).get());
  return !definition.ok() || !definition->sharing.exact();
}

Removal BucketRegistry::remove(const BucketEntryRef& bucket, bool drop_backlog) {
  forest_.remove(bucket->id_view(), bucket->place());
  {
    WriterLock lock(names_);
    in_order_.erase(bucket.get());
    if (split_.erase(bucket.get()) > 0) split_changes_.fetch_add(1, std::memory_order_release);
    buckets_.erase(bucket->id_view());
  }
  bucket->end_existence();
  return node_.engine.remove(bucket->ref(), drop_backlog);
}

}  // namespace drip::control
