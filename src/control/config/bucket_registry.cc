// SPDX-License-Identifier: BSD-3-Clause
// Looks buckets up, and changes them in the engine and by name.
#include "control/config/bucket_registry.h"

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

absl::StatusOr<BucketRegistry::Definition> BucketRegistry::define(
    const BucketPatch& patch, const BucketEntry* present) const {
  std::optional<BucketSettings> settings_before;
  std::optional<BucketSharing> sharing_before;
  if (present != nullptr) {
    settings_before = present->settings();
    sharing_before = present->sharing();
  }
  absl::StatusOr<BucketSettings> settings =
      apply_patch(patch, settings_before ? &*settings_before : nullptr);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<BucketSharing> sharing =
      apply_sharing(patch, *settings, sharing_before ? &*sharing_before : nullptr);
  if (!sharing.ok()) return sharing.status();
  if (sharing->scope == Scope::kCluster && node_.shared == nullptr) {
    return absl::FailedPreconditionError(joined(
        patch.path, "scope: SCOPE_CLUSTER needs a node that is in a cluster (dripd --cluster)"));
  }
  settings->rate_is_leased = sharing->split();
  return Definition{*settings, *std::move(sharing)};
}

absl::StatusOr<BucketRegistry::Applied> BucketRegistry::apply(
    std::span<const BucketPatch> patches) {
  std::vector<BucketChange> changes;
  std::vector<Definition> definitions;
  std::vector<BucketEntryRef> known;  // By patch; null for a new bucket.
  std::map<std::string_view, const BucketPatch*> seen;
  for (const BucketPatch& patch : patches) {
    const auto [first, fresh] = seen.try_emplace(patch.id, &patch);
    if (!fresh) {
      return not_allowed(joined(patch.path, "bucket_id"), quoted(patch.id),
                         joined("each id once, and ", first->second->path, "bucket_id has it"));
    }
    BucketEntryRef bucket = find(patch.id);
    absl::StatusOr<Definition> definition = define(patch, bucket.get());
    if (!definition.ok()) return definition.status();
    changes.push_back(
        {bucket != nullptr ? std::optional(bucket->ref()) : std::nullopt, definition->settings});
    if (definition->sharing.exact() && definition->sharing.failure_policy != FailurePolicy::kOpen) {
      changes.back().settings.capacity = 1;  // Nothing ever waits here.
    }
    definitions.push_back(*std::move(definition));
    known.push_back(std::move(bucket));
  }
  if (absl::Status status = node_.engine.apply(changes); !status.ok()) return status;

  Applied applied;
  for (std::size_t i = 0; i < patches.size(); ++i) {
    const bool split = definitions[i].sharing.split();
    if (known[i] != nullptr) {
      ++applied.changed;
      const bool was_split = known[i]->sharing().split();
      known[i]->change(definitions[i].settings, definitions[i].sharing);
      if (split == was_split) continue;
      WriterLock lock(names_);
      if (split) {
        split_.insert(known[i].get());
      } else {
        split_.erase(known[i].get());
      }
      continue;
    }
    ++applied.created;
    const BucketEntryRef bucket(BucketEntry::make(node_, patches[i].id, changes[i].ref.value(),
                                                  definitions[i].settings, definitions[i].sharing));
    WriterLock lock(names_);
    buckets_.insert(bucket);
    in_order_.insert(bucket.get());
    if (split) split_.insert(bucket.get());
  }
  return applied;
}

bool BucketRegistry::takes_packets(const BucketPatch& patch) const {
  const absl::StatusOr<Definition> definition = define(patch, find(patch.id).get());
  return !definition.ok() || !definition->sharing.exact();
}

Removal BucketRegistry::remove(const BucketEntryRef& bucket, bool drop_backlog) {
  {
    WriterLock lock(names_);
    in_order_.erase(bucket.get());
    split_.erase(bucket.get());
    buckets_.erase(bucket->id_view());
  }
  bucket->end_existence();
  return node_.engine.remove(bucket->ref(), drop_backlog);
}

}  // namespace drip::control
