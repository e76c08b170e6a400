// SPDX-License-Identifier: BSD-3-Clause
#include "control/state/stored_changes.h"

#include <limits>
#include <set>
#include <utility>

#include "base/text.h"

namespace drip::control {
namespace {

// Bounds of what one of them takes, for the reservation; names have up to 128 bytes.
constexpr std::size_t kBucketBytes = 1024;
constexpr std::size_t kNameBytes = 256;
constexpr std::size_t kRuleBytes = 1024;
constexpr std::size_t kPrefixBytes = 48;
constexpr std::size_t kOtherBytes = 4096;

std::size_t bytes_of(const RuleSpec& rule) {
  return kRuleBytes + (rule.src_prefixes.size() + rule.dst_prefixes.size()) * kPrefixBytes;
}

RuleSetSpec rules_of(const Configuration& configuration) {
  RuleSetSpec rules;
  configuration.with_rules([&](const RuleStore& store) { rules = store.rules(); });
  return rules;
}

std::uint64_t end_of(const std::map<std::string, std::uint64_t, std::less<>>& places) {
  std::uint64_t end = 0;
  for (const auto& [id, place] : places) end = std::max(end, place + 1);
  return end;
}

}  // namespace

absl::Status StoredChanges::restore() {
  auto stored = read_state(store_.take_image());
  if (!stored.ok()) return stored.status();
  const absl::Status status =
      configuration_.restore(stored->config, stored->revision, std::move(stored->file));
  if (!status.ok()) {
    return absl::FailedPreconditionError(joined(
        "state: ", store_.path(), ": this node cannot have what is stored: ", message_of(status),
        "; start it with the ports and the memory that it had, or with another directory"));
  }
  places_ = std::move(stored->rule_places);
  file_digest_ = std::move(stored->file_digest);
  schedules_.restore(stored->schedules);
  return absl::OkStatus();
}

absl::Status StoredChanges::reserve(std::size_t bytes) {
  const absl::Status status = store_.reserve(batch_.bytes().size() + bytes + kOtherBytes);
  if (status.ok()) return status;
  return absl::Status(status.code(), joined(message_of(status), "; nothing was changed"));
}

void StoredChanges::put_numbers() {
  put_revisions(configuration_.revision(), configuration_.rules_revision(), batch_);
}

void StoredChanges::put_buckets(const std::vector<BucketEntryRef>& buckets) {
  for (const BucketEntryRef& bucket : buckets) {
    if (bucket == nullptr) continue;
    put_bucket(*bucket, batch_);
    if (bucket->stored_until() != TimePoint{}) changed_.push_back(bucket->id());
  }
  put_numbers();
}

absl::StatusOr<BucketRegistry::Applied> StoredChanges::configure(
    std::span<const BucketPatch> patches, Deadline /*deadline*/) {
  if (absl::Status status = reserve(patches.size() * kBucketBytes); !status.ok()) return status;
  auto applied = configuration_.configure(patches);
  if (!applied.ok()) return applied;
  std::vector<BucketEntryRef> buckets;
  for (const BucketPatch& patch : patches) buckets.push_back(buckets_.find(patch.id));
  put_buckets(buckets);
  return applied;
}

absl::StatusOr<Removal> StoredChanges::delete_bucket(std::string_view id, bool drop_backlog,
                                                     std::optional<std::uint64_t> expected_revision,
                                                     bool recursive, Deadline /*deadline*/) {
  std::vector<std::string> names;
  for (const BucketEntryRef& bucket : buckets_.subtree(id)) names.push_back(bucket->id());
  if (absl::Status status = reserve(names.size() * 2 * kNameBytes); !status.ok()) return status;
  auto removal = configuration_.delete_bucket(id, drop_backlog, expected_revision, recursive);
  if (!removal.ok()) return removal;
  for (const std::string& name : names) erase_bucket(name, batch_);
  put_numbers();
  return removal;
}

void StoredChanges::put_rules(const RuleSetSpec& before, const RuleSetSpec& after, Places& places,
                              state::Batch& batch) const {
  std::map<std::string_view, const RuleSpec*> known;
  for (const RuleSpec& rule : before.rules) known.emplace(rule.id, &rule);
  // Rules keep their places if those that were there are in their order, and new ones behind them.
  places = {};
  bool keep = true;
  std::uint64_t next = 0;
  for (const RuleSpec& rule : after.rules) {
    const auto place = places_.find(rule.id);
    if (place != places_.end() && known.contains(rule.id)) {
      keep = keep && place->second >= next;
      next = place->second + 1;
    } else {
      next = std::max(next, end_of(places_));
      ++next;
    }
    places.emplace(rule.id, next - 1);
  }
  if (!keep) {
    next = 0;
    for (const RuleSpec& rule : after.rules) places[rule.id] = next++;
  }
  for (const RuleSpec& rule : after.rules) {
    const auto same = known.find(rule.id);
    const std::uint64_t place = places[rule.id];
    const auto placed = places_.find(rule.id);
    if (same != known.end() && placed != places_.end() && placed->second == place &&
        same_stored(*same->second, rule)) {
      continue;
    }
    put_rule(rule, place, batch);
  }
  for (const RuleSpec& rule : before.rules) {
    if (!places.contains(rule.id)) erase_rule(rule.id, batch);
  }
  for (const auto& [name, list] : after.lists) {
    const auto present = before.lists.find(name);
    if (present != before.lists.end() && (present->second == list || *present->second == *list)) {
      continue;
    }
    put_list(name, *list, batch);
  }
  for (const auto& [name, list] : before.lists) {
    if (!after.lists.contains(name)) erase_list(name, batch);
  }
  put_common(after, batch);
}

absl::StatusOr<Configuration::Revision> StoredChanges::set_rules(
    RuleSetSpec rules, std::optional<std::uint64_t> expected_revision, Deadline /*deadline*/) {
  Places places;
  state::Batch batch;
  put_rules(rules_of(configuration_), rules, places, batch);
  if (absl::Status status = reserve(batch.bytes().size()); !status.ok()) return status;
  auto revision = configuration_.set_rules(std::move(rules), expected_revision);
  if (!revision.ok()) return revision;
  batch_.append(batch);
  places_ = std::move(places);
  put_numbers();
  return revision;
}

absl::StatusOr<Configuration::Revision> StoredChanges::set_rule(RuleSpec rule,
                                                                Deadline /*deadline*/) {
  const auto present = places_.find(rule.id);
  const std::uint64_t place = present != places_.end() ? present->second : end_of(places_);
  state::Batch batch;
  put_rule(rule, place, batch);
  if (absl::Status status = reserve(batch.bytes().size()); !status.ok()) return status;
  const std::string id = rule.id;
  auto revision = configuration_.set_rule(std::move(rule));
  if (!revision.ok()) return revision;
  batch_.append(batch);
  places_[id] = place;
  put_numbers();
  return revision;
}

absl::StatusOr<Configuration::Revision> StoredChanges::delete_rule(std::string_view id,
                                                                   Deadline /*deadline*/) {
  if (absl::Status status = reserve(kNameBytes); !status.ok()) return status;
  const std::string name(id);
  auto revision = configuration_.delete_rule(id);
  if (!revision.ok()) return revision;
  erase_rule(name, batch_);
  places_.erase(name);
  put_numbers();
  return revision;
}

absl::Status StoredChanges::replace(FileConfig file) {
  std::size_t bytes = file.buckets.size() * (kBucketBytes + kNameBytes);
  const RuleSetSpec rules_before = rules_of(configuration_);
  if (file.rules) {
    for (const RuleSpec& rule : file.rules->rules) bytes += bytes_of(rule);
    for (const auto& [name, list] : file.rules->lists) {
      bytes += kNameBytes + list->size() * kPrefixBytes;
    }
  }
  bytes += rules_before.rules.size() * kNameBytes;
  const FileMemory file_before = configuration_.file_memory();
  bytes += file_before.buckets.size() * 3 * kNameBytes;
  if (absl::Status status = reserve(bytes); !status.ok()) return status;
  const std::uint64_t revision_before = configuration_.revision();
  const std::string digest = file.digest;
  if (absl::Status status = configuration_.replace(std::move(file)); !status.ok()) return status;
  std::vector<BucketEntryRef> changed;
  if (configuration_.revision() != revision_before) {
    changed = buckets_.list("", "", std::numeric_limits<std::size_t>::max());
    std::erase_if(changed, [now = configuration_.revision()](const BucketEntryRef& bucket) {
      return bucket->revision() != now;
    });
  }
  put_buckets(changed);
  for (const std::string& name : file_before.buckets) {
    if (buckets_.find(name) == nullptr) erase_bucket(name, batch_);
  }
  Places places;
  put_rules(rules_before, rules_of(configuration_), places, batch_);
  places_ = std::move(places);
  put_file(file_before, configuration_.file_memory(), digest, batch_);
  file_digest_ = digest;
  put_numbers();
  return absl::OkStatus();
}

void StoredChanges::when_stored(std::function<void(const absl::Status&)> then) {
  if (batch_.empty()) return then(absl::OkStatus());
  store_.append(
      std::exchange(batch_, {}),
      [then = std::move(then)](const absl::Status& status) {
        if (status.ok()) return then(status);
        then(absl::DataLossError(joined(
            message_of(status),
            "; the change is active, and is lost if the node restarts before it can be stored")));
      },
      [this, changed = std::exchange(changed_, {})](state::Batch& batch) {
        schedules_.add(changed, batch);
      });
}

}  // namespace drip::control
