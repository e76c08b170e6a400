// SPDX-License-Identifier: BSD-3-Clause
// Optimistic changes, catching up, and recovery after Redis lost data.
#include "cluster/config/shared_configuration.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/errors.h"
#include "base/log.h"
#include "base/text.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cluster {
namespace {

using std::chrono::milliseconds;

// For a caller without a deadline, or with a very late one.
constexpr std::chrono::seconds kMaxWait{3};
constexpr milliseconds kRetryPause{10};
// How often parts that could not be applied are tried again.
constexpr std::chrono::seconds kRetryPeriod{1};

std::chrono::system_clock::time_point bounded(std::chrono::system_clock::time_point deadline) {
  return std::min(deadline, std::chrono::system_clock::now() + kMaxWait);
}

bool is_over(std::chrono::system_clock::time_point deadline) {
  return std::chrono::system_clock::now() >= deadline;
}

bool may_have_happened(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

absl::Status cannot_change(const absl::Status& reason) {
  return absl::UnavailableError(
      joined("the cluster's configuration was not changed: ", message_of(reason)));
}

// For what a file adds: an error that a later attempt would get as well.
bool is_permanent(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status);
}

}  // namespace

SharedConfiguration::SharedConfiguration(const MembershipOptions& options,
                                         const std::string& incarnation,
                                         control::Configuration& configuration)
    : lease_(options.lease),
      incarnation_(incarnation),
      configuration_(configuration),
      store_(options.redis, ClusterKeys(options.cluster_name)),
      thread_("drip-changes", kRetryPeriod, [this] { housekeeping(); }) {}

std::string SharedConfiguration::new_change_id() {
  return joined(incarnation_, "-", ++change_ids_);
}

AppliedConfig SharedConfiguration::applied() const {
  MutexLock lock(mutex_);
  return applied_;
}

void SharedConfiguration::publish() {
  AppliedConfig applied{config_.dataset, config_.revision, ""};
  if (!errors_.empty()) {
    applied.error = message_of(errors_.front());
    if (errors_.size() > 1) applied.error += joined(" and ", errors_.size() - 1, " more");
  }
  MutexLock lock(mutex_);
  if (applied.error != applied_.error) {
    write_log(applied.error.empty() ? LogLevel::kInfo : LogLevel::kError,
              applied.error.empty()
                  ? joined("cluster: revision ", applied.revision, " is completely active again")
                  : joined("cluster: revision ", applied.revision,
                           " is not completely active on this node: ", applied.error));
  }
  applied_ = std::move(applied);
  applied_change_id_ = config_.change_id;
}

void SharedConfiguration::head_seen(const ConfigHead& head) {
  {
    MutexLock lock(mutex_);
    const bool here = applied_.dataset == head.dataset && applied_.revision == head.revision &&
                      applied_change_id_ == head.change_id && !head.recovering() &&
                      head.floor <= head.revision;
    if (here || catching_up_) return;
    catching_up_ = true;
  }
  // Not taken only by a node that stops.
  (void)thread_.post([this] {
    {
      MutexLock lock(mutex_);
      catching_up_ = false;
    }
    (void)catch_up();  // If it fails, the next heartbeat starts another attempt.
  });
}

void SharedConfiguration::housekeeping() {
  if (seed_ && synced_) (void)catch_up();
  if (errors_.empty()) return;
  reconcile(false);
  publish();
}

void SharedConfiguration::reconcile(bool all) {
  errors_ = configuration_.reconcile(config_.wanted(), all);
}

void SharedConfiguration::apply_here(const ConfigChange& change, std::uint64_t rules_before) {
  switch (change.op) {
    case ConfigChange::Op::kBuckets: {
      v1::ConfigureBucketsRequest request;
      request.ParseFromString(change.data);
      std::vector<control::BucketPatch> patches;
      for (const v1::BucketConfig& config : request.buckets()) {
        const std::string& id = config.bucket_id();
        patches.push_back(patch_of(id, config_.buckets.at(id)));
        patches.back().path =
            request.buckets_size() == 1 ? "" : joined("buckets[", patches.size() - 1, "].");
      }
      if (auto done = configuration_.configure(patches, config_.revision); !done.ok()) {
        errors_.push_back(done.status());
      }
      return;
    }
    case ConfigChange::Op::kDelete: {
      v1::DeleteBucketRequest request;
      request.ParseFromString(change.data);
      const auto removal =
          configuration_.delete_bucket(request.bucket_id(), request.mode() == v1::DELETE_MODE_DROP,
                                       std::nullopt, request.recursive());
      if (removal.ok()) {
        removal_ = *removal;
      } else if (!absl::IsNotFound(removal.status())) {
        errors_.push_back(removal.status());
      }
      return;
    }
    case ConfigChange::Op::kRules:
    case ConfigChange::Op::kRule:
    case ConfigChange::Op::kDeleteRule:
      if (absl::Status status = apply_rules_here(change, rules_before); !status.ok()) {
        errors_.push_back(std::move(status));
      }
      return;
  }
}

absl::Status SharedConfiguration::apply_rules_here(const ConfigChange& change,
                                                   std::uint64_t rules_before) {
  // A node that could not apply a change before this one lacks more than this one.
  const bool alone = is_of_one_rule(change.op) && configuration_.rules_revision() == rules_before;
  if (!alone) {
    return configuration_.set_rules(config_.rules, std::nullopt, config_.revision).status();
  }
  if (change.op == ConfigChange::Op::kDeleteRule) {
    v1::DeleteRuleRequest request;
    request.ParseFromString(change.data);
    return configuration_.delete_rule(request.rule_id(), config_.revision).status();
  }
  v1::SetRuleRequest request;
  request.ParseFromString(change.data);
  return configuration_.set_rule(*config_.find_rule(request.rule().rule_id()), config_.revision)
      .status();
}

absl::Status SharedConfiguration::apply(const ConfigStore::LogEntry& entry) {
  const auto op = op_named(entry.op);
  if (!op) {
    return absl::InternalError(joined("revision ", entry.revision, " is a change of the kind ",
                                      quoted(entry.op), ", which this version of Drip lacks"));
  }
  const ConfigChange change{*op, entry.data};
  const std::uint64_t rules_before = config_.rules_revision;
  if (auto status = apply_change(change, entry.revision, config_); !status.ok()) return status;
  config_.change_id = entry.change_id;
  last_applied_id_ = entry.change_id;
  apply_here(change, rules_before);
  return absl::OkStatus();
}

absl::Status SharedConfiguration::read_all() {
  auto whole = store_.read_all();
  if (!whole.ok()) return whole.status();
  if (whole->head.recovering() || whole->head.floor > whole->head.revision) {
    return absl::UnavailableError("Redis's data is still being recovered");
  }
  const bool first = !synced_;
  config_ = std::move(whole->config);
  reconciled_ = false;
  if (seed_) {
    if (auto status = seed(); !status.ok()) {
      if (is_permanent(status)) {
        seed_.reset();
        write_log(LogLevel::kError,
                  joined("cluster: the file conflicts with the cluster's configuration, and "
                         "no more of it is added: ",
                         message_of(status)));
      }
      return status;
    }
  }
  // The first time this node may run the file's configuration, with revisions of its own.
  reconcile(true);
  last_applied_id_ = config_.change_id;
  ++reads_of_all_;
  synced_ = reconciled_ = true;
  publish();
  write_log(LogLevel::kInfo,
            joined("cluster: ", first ? "read" : "read anew", " the configuration, revision ",
                   config_.revision, ": ", config_.buckets.size(), " buckets, ",
                   config_.rules.rules.size(), " rules"));
  return absl::OkStatus();
}

absl::Status SharedConfiguration::recover(const ConfigHead& head) {
  if (head.recovering() && head.recovering_for < lease_) {
    return absl::UnavailableError(joined(
        "Redis's data is new or older than before; the nodes have ",
        (lease_ - head.recovering_for).count(), " ms left to report what they have applied"));
  }
  const auto recovery = store_.recover(config_, config_.revision, new_change_id(), lease_);
  if (!recovery.ok()) return recovery.status();
  if (*recovery == ConfigStore::Recovery::kWait) {
    return absl::UnavailableError(
        "Redis's data is older than before, and the node with the highest revision has not "
        "written it back yet");
  }
  if (*recovery == ConfigStore::Recovery::kWritten) {
    write_log(LogLevel::kWarning,
              joined("cluster: Redis lost the configuration; this node has written back ",
                     config_.buckets.size(), " buckets as of revision ", config_.revision));
  }
  return absl::OkStatus();
}

// Whether Redis's log continues from the change that this node applied last.
bool SharedConfiguration::continues_from_here(const ConfigStore::LogPage& page) const {
  if (page.head.dataset != config_.dataset) return false;
  if (page.head.revision == config_.revision) return page.head.change_id == config_.change_id;
  if (config_.revision == 0) return true;  // No entry has that number.
  return !page.entries.empty() && page.entries.front().revision == config_.revision &&
         page.entries.front().change_id == config_.change_id;
}

absl::Status SharedConfiguration::catch_up(std::string_view last) {
  // One page of the log a round, or one attempt to recover.
  for (int round = 0; round < 1000; ++round) {
    const auto page = store_.read_log(config_.revision);
    if (!page.ok()) return page.status();
    const ConfigHead& head = page->head;
    if (head.recovering() || head.floor > head.revision) {
      if (auto status = recover(head); !status.ok()) return status;
      continue;
    }
    if (head.revision < config_.revision) {
      return absl::UnavailableError("Redis's data is older than what this node has applied");
    }
    if (!synced_ || !reconciled_ || seed_ || !continues_from_here(*page)) return read_all();
    if (head.revision == config_.revision) return absl::OkStatus();
    const std::uint64_t before = config_.revision;
    for (const ConfigStore::LogEntry& entry : page->entries) {
      if (entry.revision == before) continue;
      if (entry.revision != config_.revision + 1) return read_all();
      if (auto status = apply(entry); !status.ok()) {
        write_log(LogLevel::kError, joined("cluster: ", message_of(status)));
        return status;
      }
      if (entry.change_id == last) break;
    }
    publish();
    if (!last.empty() && last_applied_id_ == last) {
      head_seen(head);  // What others have changed since is applied after this.
      return absl::OkStatus();
    }
    if (config_.revision == before) return read_all();  // The log was trimmed past this revision.
  }
  return absl::UnavailableError("the configuration changes faster than this node can follow");
}

absl::Status SharedConfiguration::change(Deadline deadline, const Compute& compute) {
  const Deadline end = bounded(deadline);
  absl::Status reason = absl::UnavailableError("no answer from Redis");
  bool unknown = false;  // A commit may have happened.
  std::string change_id;
  std::vector<ConfigChange> inverse;
  std::uint64_t reads_before = 0;
  do {
    if (auto status = catch_up(unknown ? change_id : std::string_view()); !status.ok()) {
      reason = status;
      std::this_thread::sleep_for(kRetryPause);
      continue;
    }
    if (unknown && last_applied_id_ == change_id) break;  // It was committed.
    if (unknown && reads_of_all_ != reads_before) {
      reason = absl::UnavailableError("others have changed it since, and the log of that is gone");
      break;
    }
    unknown = false;
    const auto wanted = compute(config_);
    if (!wanted.ok()) return wanted.status();
    inverse = inverse_of(*wanted, config_);
    change_id = new_change_id();
    removal_.reset();
    reads_before = reads_of_all_;
    const std::size_t refused_before = errors_.size();
    const auto committed = store_.commit(config_, *wanted, change_id);
    if (!committed.ok()) {
      if (!may_have_happened(committed.status())) return committed.status();
      reason = committed.status();
      unknown = true;
      continue;
    }
    if (*committed != ConfigStore::Committed::kDone) {
      reason = *committed == ConfigStore::Committed::kConflict
                   ? absl::AbortedError("other nodes keep changing the configuration")
                   : absl::UnavailableError("Redis's data is still being recovered");
      if (*committed == ConfigStore::Committed::kRecovering)
        std::this_thread::sleep_for(kRetryPause);
      continue;
    }
    unknown = true;  // Committed, but perhaps not applied here.
    reason = absl::OkStatus();
    if (auto status = catch_up(change_id); !status.ok()) {
      reason = status;
      continue;
    }
    unknown = false;
    if (errors_.size() > refused_before) {
      const absl::Status error = errors_.back();
      revert(inverse);
      return error;
    }
    return absl::OkStatus();
  } while (!is_over(end));
  if (unknown && last_applied_id_ == change_id) return absl::OkStatus();
  if (unknown) {
    return absl::DeadlineExceededError(joined(
        "whether the cluster's configuration was changed is not known: ", message_of(reason)));
  }
  if (absl::IsAborted(reason)) return reason;
  return cannot_change(reason);
}

void SharedConfiguration::revert(const std::vector<ConfigChange>& inverse) {
  const std::uint64_t revision = config_.revision;
  for (const ConfigChange& change : inverse) {
    const auto committed = store_.commit(config_, change, new_change_id());
    if (committed.ok() && *committed == ConfigStore::Committed::kDone && catch_up().ok()) continue;
    write_log(LogLevel::kError,
              joined("cluster: revision ", revision,
                     " cannot be applied on this node and could not be reverted"));
    return;
  }
  reconcile(false);
  publish();
}

absl::StatusOr<control::BucketRegistry::Applied> SharedConfiguration::configure(
    std::span<const control::BucketPatch> patches, Deadline deadline) {
  control::BucketRegistry::Applied applied;
  const absl::Status status = change(deadline, [&](const StoredConfig& config) {
    applied = {};
    for (const control::BucketPatch& patch : patches) {
      ++(config.buckets.contains(patch.id) ? applied.changed : applied.created);
    }
    return change_buckets(config, patches);
  });
  if (!status.ok()) return status;
  return applied;
}

absl::StatusOr<Removal> SharedConfiguration::delete_bucket(
    std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision,
    bool recursive, Deadline deadline) {
  const absl::Status status = change(deadline, [&](const StoredConfig& config) {
    return change_by_deleting(config, id, drop_backlog, recursive, expected_revision);
  });
  if (!status.ok()) return status;
  return removal_.value_or(Removal{});
}

absl::StatusOr<control::Configuration::Revision> SharedConfiguration::change_rules_by(
    Deadline deadline, const Compute& compute) {
  if (absl::Status status = change(deadline, compute); !status.ok()) return status;
  return control::Configuration::Revision{config_.rules_revision, false};
}

absl::StatusOr<control::Configuration::Revision> SharedConfiguration::set_rules(
    control::RuleSetSpec rules, std::optional<std::uint64_t> expected_revision, Deadline deadline) {
  return change_rules_by(deadline, [&](const StoredConfig& config) -> absl::StatusOr<ConfigChange> {
    if (expected_revision && *expected_revision != config.rules_revision) {
      return absl::AbortedError(joined("expected_revision: ", *expected_revision,
                                       " is not the present revision, which is ",
                                       config.rules_revision));
    }
    return change_rules(config, rules);
  });
}

absl::StatusOr<control::Configuration::Revision> SharedConfiguration::set_rule(
    control::RuleSpec rule, Deadline deadline) {
  bool created = false;
  auto revision = change_rules_by(deadline, [&](const StoredConfig& config) {
    created = config.find_rule(rule.id) == nullptr;
    return change_rule(config, rule);
  });
  if (revision.ok()) revision->created = created;
  return revision;
}

absl::StatusOr<control::Configuration::Revision> SharedConfiguration::delete_rule(
    std::string_view id, Deadline deadline) {
  return change_rules_by(
      deadline, [&](const StoredConfig& config) { return change_by_deleting_rule(config, id); });
}

absl::Status SharedConfiguration::seed() {
  const auto commit_seed = [&](const absl::StatusOr<ConfigChange>& change) -> absl::Status {
    if (!change.ok()) return change.status();
    const std::string change_id = new_change_id();
    const auto committed = store_.commit(config_, *change, change_id);
    if (!committed.ok()) return committed.status();
    if (*committed != ConfigStore::Committed::kDone) {
      return absl::UnavailableError("another node changed the configuration meanwhile");
    }
    config_.change_id = change_id;
    return apply_change(*change, config_.revision + 1, config_);
  };
  std::vector<control::BucketPatch> absent;
  std::size_t existing = 0;
  for (const control::BucketPatch& patch : seed_->buckets) {
    if (config_.buckets.contains(patch.id)) {
      ++existing;
    } else {
      absent.push_back(patch);
    }
  }
  if (!absent.empty()) {
    if (auto status = commit_seed(change_buckets(config_, absent)); !status.ok()) return status;
  }
  if (seed_->rules && config_.rules_revision == 0) {
    if (auto status = commit_seed(change_rules(config_, *seed_->rules)); !status.ok()) {
      return status;
    }
  }
  write_log(LogLevel::kInfo, joined("cluster: the file added ", absent.size(), " buckets; ",
                                    existing, " others keep the cluster's settings"));
  seed_.reset();
  return absl::OkStatus();
}

absl::Status SharedConfiguration::replace(control::FileConfig wanted) {
  // An invalid file is rejected before any of it is active.
  StoredConfig alone;
  const auto buckets = change_buckets(alone, wanted.buckets);
  if (!buckets.ok()) return buckets.status();
  seed_ = wanted;
  // Catching up adds the file's parts on the way. A new cluster recovers within one lease.
  const auto end = std::chrono::steady_clock::now() + 3 * lease_;
  absl::Status status;
  do {
    status = catch_up();
    if (status.ok() || is_permanent(status)) break;
    std::this_thread::sleep_for(kRetryPause);
  } while (std::chrono::steady_clock::now() < end);
  if (status.ok()) return errors_.empty() ? absl::OkStatus() : errors_.front();
  if (is_permanent(status)) return status;
  if (synced_) {
    return absl::UnavailableError(
        joined("the cluster is unreachable; the file's missing parts are added to it later: ",
               message_of(status)));
  }
  write_log(LogLevel::kWarning,
            joined("cluster: unreachable; until then the file is active on this node only: ",
                   message_of(status)));
  return configuration_.replace(std::move(wanted));
}

}  // namespace drip::cluster
