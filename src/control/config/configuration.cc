// SPDX-License-Identifier: BSD-3-Clause
// Changes of buckets and rules under their common lock, and replacement from a file.
#include "control/config/configuration.h"

#include <limits>
#include <utility>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

BucketPatch complete_patch(const BucketPatch& patch, const BucketSettings& settings,
                           const BucketSharing& sharing) {
  BucketPatch result = patch;
  result.capacity = settings.capacity;
  result.units_per_second = settings.units_per_second;
  result.bits_per_second = settings.bits_per_second;
  result.capacity_bytes = settings.capacity_bytes;
  result.overhead_bytes = settings.overhead_bytes;
  result.min_frame_bytes = settings.min_frame_bytes;
  result.departure = settings.departure;
  result.max_catchup = settings.max_catchup;
  complete_sharing(sharing, result);
  return result;
}

absl::Status still_used(std::string_view field, std::string_view id,
                        const std::vector<std::string>& users) {
  std::string text = joined(field, ": ", quoted(id), " still gets packets from ");
  constexpr std::size_t kMostNamed = 10;
  for (std::size_t i = 0; i < users.size() && i < kMostNamed; ++i) {
    text += joined(i == 0 ? "" : ", ", users[i]);
  }
  if (users.size() > kMostNamed) text += joined(" and ", users.size() - kMostNamed, " more");
  return absl::FailedPreconditionError(text);
}

// Undoes changes of buckets unless all that came with them worked as well.
class BucketRollback {
 public:
  BucketRollback(BucketRegistry& buckets, std::span<const BucketPatch> patches)
      : buckets_(buckets) {
    for (const BucketPatch& patch : patches) {
      if (const BucketEntryRef bucket = buckets.find(patch.id)) {
        before_.push_back(complete_patch(patch, bucket->settings(), bucket->sharing()));
      } else {
        created_.push_back(patch.id);
      }
    }
  }
  void undo() {
    // What was there before fitted then, and nothing took its memory meanwhile.
    (void)buckets_.apply(before_);
    for (const std::string& id : created_) {
      if (const BucketEntryRef bucket = buckets_.find(id)) buckets_.remove(bucket, true);
    }
  }

 private:
  BucketRegistry& buckets_;
  std::vector<BucketPatch> before_;
  std::vector<std::string> created_;
};

}  // namespace

absl::Status check_revision(std::string_view path, std::string_view bucket_id,
                            std::optional<std::uint64_t> expected, std::uint64_t present) {
  if (!expected || *expected == present) return absl::OkStatus();
  const std::string is = present == 0 ? "does not exist (0)" : joined("is at revision ", present);
  return absl::AbortedError(joined(path, "expected_revision: ", *expected, " is expected, but ",
                                   quoted(bucket_id), " ", is));
}

absl::Status check_unused(std::string_view field, std::string_view bucket_id,
                          const RuleSetSpec& rules) {
  const std::vector<std::string> users = users_of(rules, bucket_id);
  return users.empty() ? absl::OkStatus() : still_used(field, bucket_id, users);
}

absl::Status Configuration::start() {
  MutexLock lock(mutex_);
  return rules_.start();
}

absl::StatusOr<BucketRegistry::Applied> Configuration::configure(
    std::span<const BucketPatch> patches, std::uint64_t revision) {
  MutexLock lock(mutex_);
  for (const BucketPatch& patch : patches) {
    const BucketEntryRef bucket = buckets_.find(patch.id);
    absl::Status status = check_revision(patch.path, patch.id, patch.expected_revision,
                                         bucket == nullptr ? 0 : bucket->revision());
    if (!status.ok()) return status;
    // Packets cannot wait for Redis. Of a bucket without rules the registry judges.
    if (patch.scope != Scope::kCluster && !patch.sharing) continue;
    const std::vector<std::string> users = users_of(rules_.rules(), patch.id);
    if (users.empty() || buckets_.takes_packets(patch)) continue;
    return still_used(joined(patch.path, "sharing"), patch.id, users);
  }
  auto applied = buckets_.apply(patches);
  if (applied.ok()) number(patches, revision);
  return applied;
}

void Configuration::number(std::span<const BucketPatch> patches, std::uint64_t revision) {
  revision_ = revision != 0 ? revision : revision_ + 1;
  for (const BucketPatch& patch : patches) {
    if (const BucketEntryRef bucket = buckets_.find(patch.id)) bucket->set_revision(revision_);
  }
}

absl::StatusOr<Removal> Configuration::delete_bucket(
    std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision) {
  MutexLock lock(mutex_);
  const absl::StatusOr<BucketEntryRef> bucket = buckets_.get("bucket_id", id);
  if (!bucket.ok()) return bucket.status();
  if (auto status = check_revision("", id, expected_revision, (*bucket)->revision());
      !status.ok()) {
    return status;
  }
  const std::vector<std::string> users = users_of(rules_.rules(), id);
  if (!users.empty()) return still_used("bucket_id", id, users);
  return buckets_.remove(*bucket, drop_backlog);
}

absl::StatusOr<Configuration::Revision> Configuration::set_rules(
    RuleSetSpec rules, std::optional<std::uint64_t> expected, std::uint64_t revision) {
  MutexLock lock(mutex_);
  if (expected && *expected != rules_.revision()) {
    return absl::AbortedError(joined("expected_revision: ", *expected,
                                     " is not the present revision, which is ", rules_.revision()));
  }
  if (absl::Status status = rules_.replace(std::move(rules)); !status.ok()) return status;
  if (revision != 0) rules_.set_revision(revision);
  return Revision{rules_.revision(), false};
}

absl::StatusOr<Configuration::Revision> Configuration::set_rule(RuleSpec rule) {
  MutexLock lock(mutex_);
  const absl::StatusOr<bool> created = rules_.set(std::move(rule));
  if (!created.ok()) return created.status();
  return Revision{rules_.revision(), *created};
}

absl::StatusOr<Configuration::Revision> Configuration::delete_rule(std::string_view id) {
  MutexLock lock(mutex_);
  if (absl::Status status = rules_.erase(id); !status.ok()) return status;
  return Revision{rules_.revision(), false};
}

void Configuration::with_rules(absl::FunctionRef<void(const RuleStore&)> use) const {
  MutexLock lock(mutex_);
  use(rules_);
}

absl::StatusOr<std::vector<BucketPatch>> Configuration::differing(
    std::span<const BucketPatch> wanted) const {
  std::vector<BucketPatch> patches;
  std::set<std::string_view> seen;
  for (const BucketPatch& patch : wanted) {
    const absl::StatusOr<BucketSettings> settings = apply_patch(patch, nullptr);
    if (!settings.ok()) return settings.status();
    if (!seen.insert(patch.id).second) {
      return not_allowed(joined(patch.path, "bucket_id"), quoted(patch.id), "each id once");
    }
    const absl::StatusOr<BucketSharing> sharing = apply_sharing(patch, *settings, nullptr);
    if (!sharing.ok()) return sharing.status();
    const BucketEntryRef bucket = buckets_.find(patch.id);
    BucketSettings wanted_settings = *settings;
    wanted_settings.rate_is_leased = sharing->split();
    if (bucket != nullptr && bucket->settings() == wanted_settings &&
        bucket->sharing() == *sharing) {
      continue;
    }
    patches.push_back(complete_patch(patch, *settings, *sharing));
  }
  return patches;
}

std::vector<BucketEntryRef> Configuration::not_wanted(const std::set<std::string>& wanted) const {
  std::vector<BucketEntryRef> result;
  for (const std::string& id : file_buckets_) {
    if (wanted.contains(id)) continue;
    if (BucketEntryRef bucket = buckets_.find(id)) result.push_back(std::move(bucket));
  }
  return result;
}

absl::Status Configuration::replace(WantedConfig wanted) {
  std::set<std::string> names;
  for (const BucketPatch& patch : wanted.buckets) names.insert(patch.id);

  MutexLock lock(mutex_);
  const absl::StatusOr<std::vector<BucketPatch>> patches = differing(wanted.buckets);
  if (!patches.ok()) return patches.status();
  const std::vector<BucketEntryRef> leaving = not_wanted(names);
  const RuleSetSpec none;
  const RuleSetSpec& rules = wanted.rules ? *wanted.rules : file_had_rules_ ? none : rules_.rules();
  for (const BucketEntryRef& bucket : leaving) {
    const std::vector<std::string> users = users_of(rules, bucket->id());
    if (!users.empty()) return still_used("buckets", bucket->id(), users);
  }

  BucketRollback rollback(buckets_, *patches);
  if (const auto applied = buckets_.apply(*patches); !applied.ok()) return applied.status();
  if (wanted.rules || file_had_rules_) {
    if (absl::Status status = rules_.replace(rules); !status.ok()) {
      rollback.undo();
      return status;
    }
  }
  if (!patches->empty()) number(*patches, 0);
  for (const BucketEntryRef& bucket : leaving) buckets_.remove(bucket, false);
  file_buckets_ = std::move(names);
  file_had_rules_ = wanted.rules.has_value();
  return absl::OkStatus();
}

void Configuration::reconcile_buckets(const SharedConfig& wanted, bool all,
                                      std::vector<absl::Status>& refusals) {
  std::vector<BucketPatch> patches;
  for (const SharedConfig::Bucket& bucket : wanted.buckets) {
    const BucketEntryRef known = buckets_.find(bucket.patch.id);
    if (!all && known != nullptr && known->revision() == bucket.revision) continue;
    patches.push_back(bucket.patch);
  }
  std::set<std::string_view> refused;
  // Mostly all of it fits, and one call is much faster than many.
  if (!buckets_.apply(patches).ok()) {
    for (const BucketPatch& patch : patches) {
      const auto applied = buckets_.apply({&patch, 1});
      if (applied.ok()) continue;
      refused.insert(patch.id);
      refusals.push_back(
          absl::Status(applied.status().code(),
                       joined("bucket ", quoted(patch.id), ": ", message_of(applied.status()))));
    }
  }
  for (const SharedConfig::Bucket& bucket : wanted.buckets) {
    const BucketEntryRef known = buckets_.find(bucket.patch.id);
    if (known != nullptr && !refused.contains(bucket.patch.id)) {
      known->set_revision(bucket.revision);
    }
  }
}

void Configuration::remove_others(const SharedConfig& wanted, std::vector<absl::Status>& refusals) {
  std::set<std::string_view> names;
  for (const SharedConfig::Bucket& bucket : wanted.buckets) names.insert(bucket.patch.id);
  for (const BucketEntryRef& bucket :
       buckets_.list("", "", std::numeric_limits<std::size_t>::max())) {
    if (names.contains(bucket->id())) continue;
    const std::vector<std::string> users = users_of(rules_.rules(), bucket->id());
    if (users.empty()) {
      buckets_.remove(bucket, false);
    } else {
      refusals.push_back(still_used("buckets", bucket->id(), users));
    }
  }
}

std::vector<absl::Status> Configuration::reconcile(const SharedConfig& wanted, bool all) {
  MutexLock lock(mutex_);
  std::vector<absl::Status> refusals;
  // The second time with the memory of buckets that are gone.
  for (int attempt = 0; attempt < 2; ++attempt) {
    refusals.clear();
    reconcile_buckets(wanted, all, refusals);
    if (all || rules_.revision() != wanted.rules_revision) {
      if (absl::Status status = rules_.replace(wanted.rules); status.ok()) {
        rules_.set_revision(wanted.rules_revision);
      } else {
        refusals.push_back(status);
      }
    }
    remove_others(wanted, refusals);
    if (refusals.empty()) break;
  }
  return refusals;
}

}  // namespace drip::control
