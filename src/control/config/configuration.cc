// SPDX-License-Identifier: BSD-3-Clause
// Single changes of buckets and rules. Replacing all of them is in configuration_replace.cc.
#include "control/config/configuration.h"

#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {

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
  if (users.empty()) return absl::OkStatus();
  std::string text = joined(field, ": ", quoted(bucket_id), " still gets packets from ");
  constexpr std::size_t kMaxNamed = 10;
  for (std::size_t i = 0; i < users.size() && i < kMaxNamed; ++i) {
    text += joined(i == 0 ? "" : ", ", users[i]);
  }
  if (users.size() > kMaxNamed) text += joined(" and ", users.size() - kMaxNamed, " more");
  return absl::FailedPreconditionError(text);
}

absl::Status check_childless(std::string_view field, std::string_view bucket_id,
                             std::size_t children) {
  if (children == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(joined(
      field, ": ", quoted(bucket_id), " has ", children, children == 1 ? " child" : " children",
      "; delete or move them first, or delete it with them (recursive)"));
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
    // A bucket that rules send packets to cannot become one that asks Redis for each unit.
    if (patch.scope != Scope::kCluster && !patch.sharing) continue;
    status = check_unused(joined(patch.path, "sharing"), patch.id, rules_.rules());
    if (!status.ok() && !buckets_.takes_packets(patch)) return status;
  }
  return apply(patches, revision);
}

absl::StatusOr<BucketRegistry::Applied> Configuration::apply(std::span<const BucketPatch> patches,
                                                             std::uint64_t revision) {
  if (revision == 0) revision = revision_ + 1;
  auto applied = buckets_.apply(patches, std::vector(patches.size(), revision));
  if (applied.ok()) revision_ = revision;
  return applied;
}

absl::StatusOr<Removal> Configuration::delete_bucket(std::string_view id, bool drop_backlog,
                                                     std::optional<std::uint64_t> expected_revision,
                                                     bool recursive) {
  MutexLock lock(mutex_);
  const absl::StatusOr<BucketEntryRef> bucket = buckets_.get("bucket_id", id);
  if (!bucket.ok()) return bucket.status();
  absl::Status status = check_revision("", id, expected_revision, (*bucket)->revision());
  if (status.ok() && !recursive)
    status = check_childless("bucket_id", id, buckets_.children_of(id));
  const std::vector<BucketEntryRef> subtree = buckets_.subtree(id);
  for (const BucketEntryRef& one : subtree) {
    if (status.ok()) status = check_unused("bucket_id", one->id_view(), rules_.rules());
  }
  if (!status.ok()) return status;
  Removal sum;
  for (auto one = subtree.rbegin(); one != subtree.rend(); ++one) {
    const Removal removal = buckets_.remove(*one, drop_backlog);
    sum.dropped += removal.dropped;
    sum.draining += removal.draining;
  }
  return sum;
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

absl::StatusOr<Configuration::Revision> Configuration::set_rule(RuleSpec rule,
                                                                std::uint64_t revision) {
  MutexLock lock(mutex_);
  const absl::StatusOr<bool> created = rules_.set(std::move(rule));
  if (!created.ok()) return created.status();
  if (revision != 0) rules_.set_revision(revision);
  return Revision{rules_.revision(), *created};
}

absl::StatusOr<Configuration::Revision> Configuration::delete_rule(std::string_view id,
                                                                   std::uint64_t revision) {
  MutexLock lock(mutex_);
  if (absl::Status status = rules_.erase(id); !status.ok()) return status;
  if (revision != 0) rules_.set_revision(revision);
  return Revision{rules_.revision(), false};
}

std::uint64_t Configuration::rules_revision() const {
  MutexLock lock(mutex_);
  return rules_.revision();
}

std::uint64_t Configuration::revision() const {
  MutexLock lock(mutex_);
  return revision_;
}

FileMemory Configuration::file_memory() const {
  MutexLock lock(mutex_);
  return file_;
}

void Configuration::merge_added_rules() {
  MutexLock lock(mutex_);
  rules_.merge_added();
}

void Configuration::with_rules(absl::FunctionRef<void(const RuleStore&)> use) const {
  MutexLock lock(mutex_);
  use(rules_);
}

bool Configuration::try_with_rules(absl::FunctionRef<void(const RuleStore&)> use) const {
  if (!mutex_.try_lock()) return false;
  use(rules_);
  mutex_.unlock();
  return true;
}

}  // namespace drip::control
