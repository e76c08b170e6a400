// SPDX-License-Identifier: BSD-3-Clause
// Makes a node's buckets and rules those of a configuration file or of its cluster.
#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/config/configuration.h"

namespace drip::control {
namespace {

// `patch` with every field set.
BucketPatch complete_patch(const BucketPatch& patch, const BucketDefinition& definition) {
  const BucketSettings& settings = definition.settings;
  BucketPatch result = patch;
  result.capacity = settings.capacity;
  result.units_per_second = settings.units_per_second;
  result.bits_per_second = settings.bits_per_second;
  result.capacity_bytes = settings.capacity_bytes;
  result.overhead_bytes = settings.overhead_bytes;
  result.min_frame_bytes = settings.min_frame_bytes;
  result.departure = settings.departure;
  result.max_catchup = settings.max_catchup;
  complete_queue(settings.queue, result.queue);
  complete_place(definition.place, result);
  complete_sharing(definition.sharing, result);
  return result;
}

// So that no bucket is removed before its children.
void put_deepest_first(const BucketRegistry& buckets, std::vector<BucketEntryRef>& removed) {
  const auto depth = [&](const BucketEntryRef& bucket) {
    std::uint32_t ancestors = 0;
    for (BucketEntryRef one = bucket; one != nullptr && ancestors < kMaxTreeDepth; ++ancestors) {
      one = buckets.find(one->place().parent_id);
    }
    return ancestors;
  };
  std::ranges::stable_sort(removed, std::greater{}, depth);
}

// No child of a removed bucket may stay below it.
absl::Status check_children(const BucketRegistry& buckets, std::span<const BucketPatch> patches,
                            const std::vector<BucketEntryRef>& removed) {
  std::set<std::string_view> leave;
  for (const BucketEntryRef& bucket : removed) leave.insert(bucket->id_view());
  for (const BucketPatch& patch : patches) {
    if (patch.parent_id && leave.contains(*patch.parent_id)) continue;
    leave.insert(patch.id);
  }
  for (const BucketEntryRef& bucket : removed) {
    for (const BucketEntryRef& below : buckets.subtree(bucket->id_view())) {
      if (leave.contains(below->id_view())) continue;
      if (below->place().parent_id != bucket->id_view()) continue;
      return absl::FailedPreconditionError(joined("buckets: ", quoted(bucket->id_view()),
                                                  " is no longer named, and is the parent of ",
                                                  quoted(below->id_view())));
    }
  }
  return absl::OkStatus();
}

// Restores buckets to what they were before a change.
class BucketRollback {
 public:
  BucketRollback(BucketRegistry& buckets, std::span<const BucketPatch> patches)
      : buckets_(buckets) {
    for (const BucketPatch& patch : patches) {
      if (const BucketEntryRef bucket = buckets.find(patch.id)) {
        const BucketEntry::Configured before = bucket->configured();
        before_.push_back(complete_patch(patch, before.definition));
        revisions_.push_back(before.revision);
      } else {
        created_.push_back(patch.id);
      }
    }
  }
  void undo() {
    // Cannot fail: the old settings had enough memory, and nothing took it in the meantime.
    (void)buckets_.apply(before_, revisions_);
    for (const std::string& id : created_) {
      const std::vector<BucketEntryRef> subtree = buckets_.subtree(id);
      for (auto one = subtree.rbegin(); one != subtree.rend(); ++one) buckets_.remove(*one, true);
    }
  }

 private:
  BucketRegistry& buckets_;
  std::vector<BucketPatch> before_;
  std::vector<std::uint64_t> revisions_;  // Of each of them.
  std::vector<std::string> created_;
};

}  // namespace

absl::Status Configuration::replace(FileConfig file) {
  std::set<std::string> names;
  for (const BucketPatch& patch : file.buckets) names.insert(patch.id);

  MutexLock lock(mutex_);
  const absl::StatusOr<std::vector<BucketPatch>> patches = differing(file.buckets);
  if (!patches.ok()) return patches.status();
  const std::vector<BucketEntryRef> removed = removed_from_file(names);
  if (absl::Status status = check_children(buckets_, *patches, removed); !status.ok()) {
    return status;
  }
  const bool file_has_rules = file.rules.has_value();
  const bool replace_rules = file_has_rules || file_.had_rules;
  std::set<std::string> list_names;
  if (file_has_rules) {
    for (const auto& [name, list] : file.rules->lists) list_names.insert(name);
  }
  RuleSetSpec rules =
      replace_rules ? std::move(file.rules).value_or(RuleSetSpec()) : rules_.rules();
  // Lists that were set by calls stay as they are; those that the file named before and does not
  // now are gone.
  for (const auto& [name, list] : rules_.rules().lists) {
    if (!file_.lists.contains(name)) rules.lists.emplace(name, list);
  }
  for (const BucketEntryRef& bucket : removed) {
    if (absl::Status status = check_unused("buckets", bucket->id(), rules); !status.ok()) {
      return status;
    }
  }

  BucketRollback rollback(buckets_, *patches);
  if (!patches->empty()) {
    if (const auto applied = apply(*patches, 0); !applied.ok()) return applied.status();
  }
  if (replace_rules) {
    if (absl::Status status = rules_.replace(std::move(rules)); !status.ok()) {
      // Its revision may have been seen: no other change gets it.
      rollback.undo();
      return status;
    }
  }
  for (const BucketEntryRef& bucket : removed) buckets_.remove(bucket, false);
  file_ = {std::move(names), std::move(list_names), file_has_rules};
  return absl::OkStatus();
}

absl::StatusOr<std::vector<BucketPatch>> Configuration::differing(
    std::span<const BucketPatch> wanted) const {
  std::vector<BucketPatch> patches;
  std::set<std::string_view> seen;
  for (const BucketPatch& patch : wanted) {
    absl::StatusOr<BucketPlace> place = apply_place(patch, nullptr);
    if (!place.ok()) return place.status();
    absl::StatusOr<BucketSettings> settings = apply_patch(patch, nullptr, place->inner);
    if (!settings.ok()) return settings.status();
    if (!seen.insert(patch.id).second) {
      return not_allowed(joined(patch.path, "bucket_id"), quoted(patch.id), "each id once");
    }
    absl::StatusOr<BucketSharing> sharing = apply_sharing(patch, *settings, nullptr);
    if (!sharing.ok()) return sharing.status();
    settings->rate_is_leased = sharing->split();
    const BucketEntryRef bucket = buckets_.find(patch.id);
    const BucketDefinition definition{*settings, *std::move(sharing), *std::move(place)};
    const bool same = bucket != nullptr && bucket->definition() == definition;
    if (!same) patches.push_back(complete_patch(patch, definition));
  }
  return patches;
}

std::vector<BucketEntryRef> Configuration::removed_from_file(
    const std::set<std::string>& names) const {
  std::vector<BucketEntryRef> result;
  for (const std::string& id : file_.buckets) {
    if (names.contains(id)) continue;
    if (BucketEntryRef bucket = buckets_.find(id)) result.push_back(std::move(bucket));
  }
  put_deepest_first(buckets_, result);
  return result;
}

absl::Status Configuration::restore(const SharedConfig& wanted, std::uint64_t revision,
                                    FileMemory file) {
  const std::vector<absl::Status> errors = reconcile(wanted, true);
  if (!errors.empty()) {
    return absl::FailedPreconditionError(
        joined(message_of(errors.front()),
               errors.size() > 1 ? joined(" (and ", errors.size() - 1, " more)") : ""));
  }
  MutexLock lock(mutex_);
  revision_ = revision;
  file_ = std::move(file);
  return absl::OkStatus();
}

std::vector<absl::Status> Configuration::reconcile(const SharedConfig& wanted, bool all) {
  MutexLock lock(mutex_);
  std::vector<absl::Status> errors;
  // The second attempt has the memory of the buckets that the first one removed.
  for (int attempt = 0; attempt < 2; ++attempt) {
    errors.clear();
    reconcile_buckets(wanted, all, errors);
    if (all || rules_.revision() != wanted.rules_revision) {
      if (absl::Status status = rules_.replace(wanted.rules); status.ok()) {
        rules_.set_revision(wanted.rules_revision);
      } else {
        errors.push_back(status);
      }
    }
    remove_others(wanted, errors);
    if (errors.empty()) break;
  }
  return errors;
}

void Configuration::reconcile_buckets(const SharedConfig& wanted, bool all,
                                      std::vector<absl::Status>& errors) {
  std::vector<BucketPatch> patches;
  std::vector<std::uint64_t> revisions;
  for (const SharedConfig::Bucket& bucket : wanted.buckets) {
    const BucketEntryRef entry = buckets_.find(bucket.patch.id);
    if (!all && entry != nullptr && entry->revision() == bucket.revision) continue;
    patches.push_back(bucket.patch);
    revisions.push_back(bucket.revision);
  }
  // One call is much faster than one for each bucket, and mostly succeeds.
  if (buckets_.apply(patches, revisions).ok()) return;
  for (std::size_t i = 0; i < patches.size(); ++i) {
    const auto applied = buckets_.apply({&patches[i], 1}, {&revisions[i], 1});
    if (applied.ok()) continue;
    errors.push_back(
        absl::Status(applied.status().code(),
                     joined("bucket ", quoted(patches[i].id), ": ", message_of(applied.status()))));
  }
}

void Configuration::remove_others(const SharedConfig& wanted, std::vector<absl::Status>& errors) {
  std::set<std::string_view> names;
  for (const SharedConfig::Bucket& bucket : wanted.buckets) names.insert(bucket.patch.id);
  std::vector<BucketEntryRef> others =
      buckets_.list("", "", std::numeric_limits<std::size_t>::max());
  std::erase_if(others, [&](const BucketEntryRef& bucket) { return names.contains(bucket->id()); });
  put_deepest_first(buckets_, others);
  for (const BucketEntryRef& bucket : others) {
    absl::Status status = check_unused("buckets", bucket->id_view(), rules_.rules());
    if (status.ok()) {
      status =
          check_childless("buckets", bucket->id_view(), buckets_.children_of(bucket->id_view()));
    }
    if (status.ok()) {
      buckets_.remove(bucket, false);
    } else {
      errors.push_back(std::move(status));
    }
  }
}

}  // namespace drip::control
