// SPDX-License-Identifier: BSD-3-Clause
// Looks buckets up, and changes them in the engine and by name.
#include "control/bucket_registry.h"

#include <utility>

#include "control/refusal.h"
#include "control/text.h"

namespace drip::control {

BucketSettings KnownBucket::settings() const {
  ReaderLock lock(use_);
  return settings_;
}

BucketSharing KnownBucket::sharing() const {
  ReaderLock lock(use_);
  return sharing_;
}

bool KnownBucket::while_it_exists(absl::FunctionRef<void(const BucketSettings&)> use) const {
  if (deleted_.load(std::memory_order_acquire)) return false;
  ReaderLock lock(use_);
  if (deleted_.load(std::memory_order_acquire)) return false;
  use(settings_);
  return true;
}

std::optional<BucketState> KnownBucket::state() const {
  std::optional<BucketState> state;
  const bool exists = while_it_exists([&](const BucketSettings& settings) {
    state.emplace();
    state->id = id_;
    state->transmitter = ref_.transmitter;
    state->settings = settings;
    use_.assert_held_shared();
    state->sharing = sharing_;
    state->revision = revision();
    state->reading = engine_.read(ref_);
  });
  if (!exists) return std::nullopt;
  return state;
}

KnownBucketRef BucketRegistry::find(std::string_view id) const {
  ReaderLock lock(names_);
  const auto known = buckets_.find(id);
  return known == buckets_.end() ? nullptr : known->second;
}

absl::StatusOr<KnownBucketRef> BucketRegistry::get(std::string_view field,
                                                   std::string_view id) const {
  if (KnownBucketRef bucket = find(id)) return bucket;
  if (absl::Status name = check_name(field, id); !name.ok()) return name;
  return not_found(field, "bucket", id);
}

std::size_t BucketRegistry::size() const {
  ReaderLock lock(names_);
  return buckets_.size();
}

std::vector<KnownBucketRef> BucketRegistry::list(std::string_view prefix, std::string_view after,
                                                 std::size_t limit) const {
  std::vector<KnownBucketRef> result;
  ReaderLock lock(names_);
  auto next = after < prefix ? buckets_.lower_bound(prefix) : buckets_.upper_bound(after);
  for (; next != buckets_.end() && result.size() < limit; ++next) {
    if (!std::string_view(next->first).starts_with(prefix)) break;
    result.push_back(next->second);
  }
  return result;
}

absl::StatusOr<BucketRegistry::Definition> BucketRegistry::define(
    const BucketPatch& patch, const KnownBucket* present) const {
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
  if (sharing->scope == Scope::kCluster && shared_ == nullptr) {
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
  std::vector<KnownBucketRef> known;  // By patch; null for a new bucket.
  std::map<std::string_view, const BucketPatch*> seen;
  for (const BucketPatch& patch : patches) {
    const auto [first, fresh] = seen.try_emplace(patch.id, &patch);
    if (!fresh) {
      return not_allowed(joined(patch.path, "bucket_id"), quoted(patch.id),
                         joined("each id once, and ", first->second->path, "bucket_id has it"));
    }
    KnownBucketRef bucket = find(patch.id);
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
  if (absl::Status status = engine_.apply(changes); !status.ok()) return status;

  Applied applied;
  for (std::size_t i = 0; i < patches.size(); ++i) {
    if (known[i] != nullptr) {
      ++applied.changed;
      WriterLock lock(known[i]->use_);
      known[i]->settings_ = definitions[i].settings;
      known[i]->sharing_ = std::move(definitions[i].sharing);
      continue;
    }
    ++applied.created;
    const BucketRef ref = changes[i].ref.value();
    auto bucket =
        std::make_shared<KnownBucket>(engine_, patches[i].id, ref, definitions[i].settings,
                                      std::move(definitions[i].sharing), requests_.make_queue(ref));
    WriterLock lock(names_);
    buckets_.emplace(patches[i].id, std::move(bucket));
  }
  return applied;
}

bool BucketRegistry::takes_packets(const BucketPatch& patch) const {
  const absl::StatusOr<Definition> definition = define(patch, find(patch.id).get());
  return !definition.ok() || !definition->sharing.exact();
}

Removal BucketRegistry::remove(const KnownBucketRef& bucket, bool drop_backlog) {
  {
    WriterLock lock(names_);
    buckets_.erase(bucket->id());
  }
  bucket->deleted_.store(true, std::memory_order_release);
  WriterLock lock(bucket->use_);
  return engine_.remove(bucket->ref(), drop_backlog);
}

}  // namespace drip::control
