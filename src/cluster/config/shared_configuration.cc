// SPDX-License-Identifier: BSD-3-Clause
// Optimistic changes, catching up, and what to do when Redis knows less than this node.
#include "cluster/config/shared_configuration.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cluster {
namespace {

using std::chrono::milliseconds;

// For a caller without a deadline, or with a very late one.
constexpr std::chrono::seconds kMostPatience{3};
constexpr milliseconds kPause{10};
// How often what could not be applied is tried again.
constexpr std::chrono::seconds kRetryPeriod{1};

std::chrono::system_clock::time_point bounded(std::chrono::system_clock::time_point deadline) {
  return std::min(deadline, std::chrono::system_clock::now() + kMostPatience);
}

bool is_over(std::chrono::system_clock::time_point deadline) {
  return std::chrono::system_clock::now() >= deadline;
}

bool may_have_happened(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

absl::Status cannot_change(const absl::Status& reason) {
  return absl::UnavailableError(joined(
      "the cluster's configuration cannot be changed now, and was not: ", message_of(reason)));
}

// Of what a file adds: another time would not help.
bool never_fits(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status);
}

}  // namespace

SharedConfiguration::SharedConfiguration(const MembershipOptions& options,
                                         const std::string& incarnation, Log log,
                                         control::Configuration& configuration)
    : lease_(options.lease),
      incarnation_(incarnation),
      log_(std::move(log)),
      configuration_(configuration),
      store_(options.redis, ClusterKeys(options.cluster_name)),
      thread_(kRetryPeriod, [this] { housekeeping(); }) {}

std::string SharedConfiguration::new_tip() { return joined(incarnation_, "-", ++tips_); }

AppliedConfig SharedConfiguration::applied() const {
  MutexLock lock(mutex_);
  return applied_;
}

void SharedConfiguration::publish() {
  AppliedConfig applied{config_.dataset, config_.revision, ""};
  if (!refusals_.empty()) {
    applied.error = message_of(refusals_.front());
    if (refusals_.size() > 1) applied.error += joined(" and ", refusals_.size() - 1, " more");
  }
  MutexLock lock(mutex_);
  if (applied.error != applied_.error) {
    log_(applied.error.empty() ? LogLevel::kInfo : LogLevel::kError,
         applied.error.empty()
             ? joined("cluster: revision ", applied.revision, " is wholly in force again")
             : joined("cluster: revision ", applied.revision,
                      " is not wholly in force here: ", applied.error));
  }
  applied_ = std::move(applied);
  applied_tip_ = config_.tip;
}

void SharedConfiguration::head_seen(const ConfigHead& head) {
  {
    MutexLock lock(mutex_);
    const bool here = applied_.dataset == head.dataset && applied_.revision == head.revision &&
                      applied_tip_ == head.tip && head.settled() && head.floor <= head.revision;
    if (here || catching_up_) return;
    catching_up_ = true;
  }
  const bool posted = thread_.post([this] {
    {
      MutexLock lock(mutex_);
      catching_up_ = false;
    }
    (void)catch_up();  // The next heartbeat asks again.
  });
  if (!posted) return;
}

void SharedConfiguration::housekeeping() {
  if (seed_ && synced_) (void)catch_up();
  if (refusals_.empty()) return;
  reconcile(false);
  publish();
}

void SharedConfiguration::refused(const absl::Status& status) { refusals_.push_back(status); }

void SharedConfiguration::reconcile(bool all) {
  refusals_ = configuration_.reconcile(config_.wanted(), all);
}

void SharedConfiguration::put_in_force(const ConfigChange& change) {
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
        refused(done.status());
      }
      return;
    }
    case ConfigChange::Op::kDelete: {
      v1::DeleteBucketRequest request;
      request.ParseFromString(change.data);
      const auto removal =
          configuration_.delete_bucket(request.bucket_id(), request.mode() == v1::DELETE_MODE_DROP);
      if (removal.ok()) {
        removal_ = *removal;
      } else if (!absl::IsNotFound(removal.status())) {
        refused(removal.status());
      }
      return;
    }
    case ConfigChange::Op::kRules: {
      auto done = configuration_.set_rules(config_.rules, std::nullopt, config_.revision);
      if (!done.ok()) refused(done.status());
      return;
    }
  }
}

absl::Status SharedConfiguration::apply(const ConfigStore::LogEntry& entry) {
  const auto op = op_named(entry.op);
  if (!op) {
    return absl::InternalError(joined("revision ", entry.revision, " is a change of a kind, ",
                                      quoted(entry.op), ", that this version of Drip lacks"));
  }
  const ConfigChange change{*op, entry.data};
  if (auto status = apply_change(change, entry.revision, config_); !status.ok()) return status;
  config_.tip = entry.tip;
  last_applied_tip_ = entry.tip;
  put_in_force(change);
  return absl::OkStatus();
}

absl::Status SharedConfiguration::read_all() {
  auto whole = store_.read_all();
  if (!whole.ok()) return whole.status();
  if (!whole->head.settled() || whole->head.floor > whole->head.revision) {
    return absl::UnavailableError("Redis's data is not settled yet");
  }
  const bool first = !synced_;
  config_ = std::move(whole->config);
  in_force_ = false;
  if (seed_) {
    if (auto status = seed(); !status.ok()) {
      if (never_fits(status)) {
        seed_.reset();
        log_(LogLevel::kError, joined("cluster: the file does not go with what the cluster has, "
                                      "and nothing more of it is added: ",
                                      message_of(status)));
      }
      return status;
    }
  }
  // The first time what is here is the file's, under numbers of this node's own.
  reconcile(true);
  last_applied_tip_ = config_.tip;
  synced_ = in_force_ = true;
  publish();
  log_(LogLevel::kInfo,
       joined("cluster: ", first ? "read" : "read anew", " the configuration, revision ",
              config_.revision, ": ", config_.buckets.size(), " buckets, ",
              config_.rules.rules.size(), " rules"));
  return absl::OkStatus();
}

absl::Status SharedConfiguration::settle(const ConfigHead& head) {
  if (!head.settled() && head.unsettled_for < lease_) {
    return absl::UnavailableError(
        joined("Redis's data is new or older than it was; the nodes have ",
               (lease_ - head.unsettled_for).count(), " ms left to say what they know"));
  }
  const auto settled = store_.settle(config_, config_.revision, new_tip(), lease_);
  if (!settled.ok()) return settled.status();
  if (*settled == ConfigStore::Settled::kWait) {
    return absl::UnavailableError(
        "Redis's data is older than it was, and a node that knows more has not written it yet");
  }
  if (*settled == ConfigStore::Settled::kWritten) {
    log_(LogLevel::kWarning,
         joined("cluster: Redis had lost the configuration; this node has written back ",
                config_.buckets.size(), " buckets as of revision ", config_.revision));
  }
  return absl::OkStatus();
}

// Whether Redis's configuration goes on from where this node is.
bool SharedConfiguration::is_ahead_of_us(const ConfigStore::LogPage& page) const {
  if (page.head.dataset != config_.dataset) return false;
  if (page.head.revision == config_.revision) return page.head.tip == config_.tip;
  if (config_.revision == 0) return true;  // There is no entry of that number.
  return !page.entries.empty() && page.entries.front().revision == config_.revision &&
         page.entries.front().tip == config_.tip;
}

absl::Status SharedConfiguration::catch_up() {
  // A page of the log at a time; each time something was settled, or read anew, look again.
  for (int round = 0; round < 1000; ++round) {
    const auto page = store_.read_log(config_.revision);
    if (!page.ok()) return page.status();
    const ConfigHead& head = page->head;
    if (!head.settled() || head.floor > head.revision) {
      if (auto status = settle(head); !status.ok()) return status;
      continue;
    }
    if (head.revision < config_.revision) {
      return absl::UnavailableError("Redis's data is older than what this node has applied");
    }
    if (!synced_ || !in_force_ || seed_ || !is_ahead_of_us(*page)) return read_all();
    if (head.revision == config_.revision) return absl::OkStatus();
    const std::uint64_t before = config_.revision;
    for (const ConfigStore::LogEntry& entry : page->entries) {
      if (entry.revision == before) continue;
      if (entry.revision != config_.revision + 1) return read_all();
      if (auto status = apply(entry); !status.ok()) {
        log_(LogLevel::kError, joined("cluster: ", message_of(status)));
        return status;
      }
    }
    publish();
    if (config_.revision == before) return read_all();  // The log was cut behind us.
  }
  return absl::UnavailableError("the configuration changes faster than this node follows");
}

absl::StatusOr<ConfigStore::Committed> SharedConfiguration::commit(const ConfigChange& change,
                                                                   const std::string& tip) {
  StoredConfig after = config_;
  if (auto status = apply_change(change, config_.revision + 1, after); !status.ok()) return status;
  return store_.commit(config_, change, after, tip);
}

absl::StatusOr<StoredConfig> SharedConfiguration::change(Deadline deadline,
                                                         const Compute& compute) {
  const Deadline end = bounded(deadline);
  absl::Status reason = absl::UnavailableError("no answer from Redis");
  bool unknown = false;  // Whether a commit has happened.
  std::string tip;
  StoredConfig before;
  std::optional<ConfigChange> made;
  do {
    if (auto status = catch_up(); !status.ok()) {
      reason = status;
      std::this_thread::sleep_for(kPause);
      continue;
    }
    if (unknown && last_applied_tip_ == tip) break;  // It did.
    unknown = false;
    before = config_;
    auto wanted = compute(config_);
    if (!wanted.ok()) return wanted.status();
    made = *std::move(wanted);
    tip = new_tip();
    removal_.reset();
    const std::size_t refused_before = refusals_.size();
    const auto committed = commit(*made, tip);
    if (!committed.ok()) {
      if (!may_have_happened(committed.status())) return committed.status();
      reason = committed.status();
      unknown = true;
      continue;
    }
    if (*committed != ConfigStore::Committed::kDone) {
      reason = *committed == ConfigStore::Committed::kConflict
                   ? absl::AbortedError("other nodes keep changing the configuration")
                   : absl::UnavailableError("Redis's data is not settled yet");
      if (*committed == ConfigStore::Committed::kUnsettled) std::this_thread::sleep_for(kPause);
      continue;
    }
    unknown = true;  // That it has been applied here.
    reason = absl::OkStatus();
    if (auto status = catch_up(); !status.ok()) {
      reason = status;
      continue;
    }
    unknown = false;
    if (refusals_.size() > refused_before) {
      const absl::Status refusal = refusals_.back();
      take_back(*made, before);
      return refusal;
    }
    return before;
  } while (!is_over(end));
  if (unknown && last_applied_tip_ == tip) return before;
  if (unknown) {
    return absl::DeadlineExceededError(joined(
        "whether the cluster's configuration was changed is not known: ", message_of(reason)));
  }
  if (absl::IsAborted(reason)) return reason;
  return cannot_change(reason);
}

void SharedConfiguration::take_back(const ConfigChange& change, const StoredConfig& before) {
  const std::uint64_t revision = config_.revision;
  for (const ConfigChange& inverse : inverse_of(change, before)) {
    const auto committed = commit(inverse, new_tip());
    if (committed.ok() && *committed == ConfigStore::Committed::kDone && catch_up().ok()) continue;
    log_(LogLevel::kError,
         joined("cluster: revision ", revision,
                " cannot be applied here and could not be taken back, so it stands"));
    return;
  }
  reconcile(false);
  publish();
}

absl::StatusOr<control::BucketRegistry::Applied> SharedConfiguration::configure(
    std::span<const control::BucketPatch> patches, Deadline deadline) {
  const auto before =
      change(deadline, [&](const StoredConfig& config) { return change_buckets(config, patches); });
  if (!before.ok()) return before.status();
  control::BucketRegistry::Applied applied;
  for (const control::BucketPatch& patch : patches) {
    ++(before->buckets.contains(patch.id) ? applied.changed : applied.created);
  }
  return applied;
}

absl::StatusOr<Removal> SharedConfiguration::delete_bucket(
    std::string_view id, bool drop_backlog, std::optional<std::uint64_t> expected_revision,
    Deadline deadline) {
  const auto before = change(deadline, [&](const StoredConfig& config) {
    return change_by_deleting(config, id, drop_backlog, expected_revision);
  });
  if (!before.ok()) return before.status();
  return removal_.value_or(Removal{});
}

absl::StatusOr<control::Configuration::Revision> SharedConfiguration::change_rules_by(
    Deadline deadline, const Compute& compute) {
  const auto before = change(deadline, compute);
  if (!before.ok()) return before.status();
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
    control::RuleSetSpec next = config.rules;
    const auto present = std::ranges::find(next.rules, rule.id, &control::RuleSpec::id);
    created = present == next.rules.end();
    if (created) {
      next.rules.push_back(rule);
    } else {
      *present = rule;
    }
    return change_rules(config, next);
  });
  if (revision.ok()) revision->created = created;
  return revision;
}

absl::StatusOr<control::Configuration::Revision> SharedConfiguration::delete_rule(
    std::string_view id, Deadline deadline) {
  return change_rules_by(deadline, [&](const StoredConfig& config) -> absl::StatusOr<ConfigChange> {
    control::RuleSetSpec next = config.rules;
    const auto present = std::ranges::find(next.rules, id, &control::RuleSpec::id);
    if (present == next.rules.end()) return not_found("rule_id", "rule", id);
    next.rules.erase(present);
    return change_rules(config, next);
  });
}

absl::Status SharedConfiguration::seed() {
  const auto commit_seed = [&](const absl::StatusOr<ConfigChange>& change) -> absl::Status {
    if (!change.ok()) return change.status();
    const std::string tip = new_tip();
    const auto committed = commit(*change, tip);
    if (!committed.ok()) return committed.status();
    if (*committed != ConfigStore::Committed::kDone) {
      return absl::UnavailableError("others changed the configuration meanwhile");
    }
    config_.tip = tip;
    return apply_change(*change, config_.revision + 1, config_);
  };
  std::vector<control::BucketPatch> absent;
  std::size_t standing = 0;
  for (const control::BucketPatch& patch : seed_->buckets) {
    if (config_.buckets.contains(patch.id)) {
      ++standing;
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
  log_(LogLevel::kInfo, joined("cluster: the file added ", absent.size(), " buckets; of ", standing,
                               " others the cluster's settings stand"));
  seed_.reset();
  return absl::OkStatus();
}

absl::Status SharedConfiguration::replace(control::FileConfig wanted) {
  // A file that is wrong by itself is refused before anybody hears of it.
  StoredConfig alone;
  const auto buckets = change_buckets(alone, wanted.buckets);
  if (!buckets.ok()) return buckets.status();
  seed_ = wanted;
  // Reads all, and seeds on the way; a new cluster settles within one lease.
  const auto end = std::chrono::steady_clock::now() + 3 * lease_;
  absl::Status status;
  do {
    status = catch_up();
    if (status.ok() || never_fits(status)) break;
    std::this_thread::sleep_for(kPause);
  } while (std::chrono::steady_clock::now() < end);
  if (status.ok()) return refusals_.empty() ? absl::OkStatus() : refusals_.front();
  if (never_fits(status)) return status;
  if (synced_) {
    return absl::UnavailableError(
        joined("the cluster cannot be asked what of the file it lacks; it will be, later: ",
               message_of(status)));
  }
  log_(LogLevel::kWarning,
       joined("cluster: the file is in force on this node alone until the cluster can be asked: ",
              message_of(status)));
  return configuration_.replace(std::move(wanted));
}

}  // namespace drip::cluster
