// SPDX-License-Identifier: BSD-3-Clause
// The agent's thread: one exchange a period, then what follows from its reply.
#include "cluster/shares/share_agent.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/log.h"
#include "base/text.h"
#include "base/thread.h"
#include "cluster/shares/share_allocation.h"
#include "cluster/shares/share_policy.h"

namespace drip::cluster {

using control::FailurePolicy;
using control::PolicyState;

namespace {

// A share that is no longer used is free for others within two heartbeats.
constexpr double kPeriodsOfMemory = 2;
constexpr std::uint64_t kTicksPerLook = 10;
constexpr std::chrono::milliseconds kConnectTimeout{250};
// What an exchange may take longer for each bucket in it, at most a quarter of the lease.
constexpr std::chrono::microseconds kPatienceForABucket{20};
// So many buckets that change at once have a line each in the log; more of them have one together.
constexpr std::size_t kMostLines = 10;
constexpr std::size_t kNamedTogether = 3;

std::uint64_t random_generation() {
  std::random_device device;
  return 1 + (static_cast<std::uint64_t>(device()) << 20) + (device() & 0xfffffU);
}

bool less(const LeasedRates& a, const LeasedRates& b) {
  return a.units_per_second < b.units_per_second || a.bits_per_second < b.bits_per_second;
}

}  // namespace

ShareAgent::ShareAgent(ShareAgentOptions options, Engine& engine, control::BucketRegistry& buckets,
                       std::function<ShareLeader()> leader)
    : options_(std::move(options)),
      engine_(engine),
      buckets_(buckets),
      leader_(std::move(leader)),
      scripts_(options_.prefix, options_.leader_key),
      session_(joined(options_.node_id, ":", options_.incarnation)),
      link_(options_.redis),
      holder_(options_.timing) {}

void ShareAgent::start() {
  // No leased share may leak before the first lease.
  const TimePoint now = engine_.now();
  active_ends_ = {now, now};
  engine_.set_lease_ends(active_ends_);
  measured_ = now;
  thread_ = start_thread("drip-shares", [this] { run(); });
}

void ShareAgent::stop() {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  changed_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  // No lease is active on this node any more, so its shares are free at once.
  const TimePoint now = engine_.now();
  engine_.set_lease_ends({now, now});
  if (!link_.connected() || run_id_.empty()) return;
  const ScriptCall leave = scripts_.leave(run_id_, session_);
  (void)link_.scripts(std::span(&leave, 1), Clock::now() + std::chrono::milliseconds(100));
}

void ShareAgent::run() {
  auto next = Clock::now();
  while (true) {
    tick();
    next = std::max(next + std::min<Clock::duration>(
                               options_.period + std::chrono::microseconds(100 * leased_.size()),
                               keep_alive_period()),
                    Clock::now() + std::chrono::milliseconds(1));
    MutexLock lock(mutex_);
    while (!stopped_ && Clock::now() < next) {
      changed_.wait_for(mutex_, next - Clock::now());
    }
    if (stopped_) return;
  }
}

// The lease outlives one or two lost exchanges.
std::chrono::nanoseconds ShareAgent::keep_alive_period() const {
  return std::chrono::nanoseconds(options_.timing.lease.ns / 4);
}

void ShareAgent::tick() {
  measure(engine_.now());
  if (leased_.empty()) {
    // The lease is renewed without any such bucket as well: the cluster then knows its members, and
    // the first bucket has its share at once.
    if (Clock::now() - last_exchange_ < keep_alive_period()) return publish(engine_.now());
  }
  last_exchange_ = Clock::now();
  const std::chrono::milliseconds patience = this->patience();
  const TimePoint begun = engine_.now();
  exchange(patience);
  if (unanswered_since_) unanswered_since_ = std::min(*unanswered_since_, begun);
  apply_shares();
  if (!unanswered_since_) {
    lead(patience);
    if (!leader_().is_self && ticks_ % kTicksPerLook == 0) look(patience);
  }
  ++ticks_;
  publish(engine_.now());
}

std::chrono::milliseconds ShareAgent::patience() const {
  std::int64_t ns =
      leased_.empty() ? control::kDefaultDecideWithin.ns : control::kMaxDecideWithin.ns;
  for (const auto& [id, leased] : leased_) ns = std::min(ns, leased.sharing.decide_within.ns);
  const std::chrono::nanoseconds more = std::min<std::chrono::nanoseconds>(
      kPatienceForABucket * static_cast<std::int64_t>(leased_.size()), keep_alive_period());
  return std::max(
      std::chrono::milliseconds(1),
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::nanoseconds(ns) + more));
}

void ShareAgent::measure(TimePoint now) {
  const double seconds = static_cast<double>((now - measured_).ns) * 1e-9;
  measured_ = now;
  const double memory = kPeriodsOfMemory * std::chrono::duration<double>(options_.period).count();
  std::map<std::string, Leased, std::less<>> found;
  for (const control::BucketEntryRef& bucket : buckets_.split_buckets()) {
    const std::optional<control::BucketState> state = bucket->state();
    if (!state || !state->sharing.split()) continue;
    Leased leased;
    if (const auto before = leased_.find(bucket->id());
        before != leased_.end() && before->second.bucket == bucket) {
      leased = std::move(before->second);
    }
    leased.bucket = bucket;
    leased.rates = {state->settings.units_per_second, state->settings.bits_per_second};
    leased.sharing = state->sharing;
    const BucketStats& stats = state->stats;
    leased.meter.update(
        {stats.admitted + state->rejected(), stats.admitted_bytes + stats.rejected_bytes,
         stats.backlog, stats.backlog_bytes},
        seconds, memory);
    found.emplace(bucket->id(), std::move(leased));
  }
  leased_ = std::move(found);
}

// Finds out which Redis process is connected.
bool ShareAgent::find_run_id(Deadline deadline) {
  if (link_.connected() && run_id_of_connection_ == link_.connections() && !run_id_.empty()) {
    return true;
  }
  const auto info = link_.command({"INFO", "server"}, deadline);
  if (!info.ok() || info->text() == nullptr) {
    last_error_ = std::string(info.ok() ? "INFO has no text" : message_of(info.status()));
    if (link_.connected() && !is_refused_to_all(info.status())) {
      set_obstacle(joined("Redis at ", link_.peer(),
                          " refuses INFO, which tells one process of Redis from another: split "
                          "buckets stay at their failure policy (",
                          last_error_, ")"));
    }
    return false;
  }
  const std::string& text = *info->text();
  const std::size_t begin = text.find("run_id:");
  if (begin == std::string::npos) return false;
  set_obstacle("");
  run_id_ = text.substr(begin + 7, text.find_first_of("\r\n", begin) - begin - 7);
  run_id_of_connection_ = link_.connections();
  return true;
}

void ShareAgent::set_obstacle(std::string why) {
  MutexLock lock(mutex_);
  if (obstacle_ == why) return;
  obstacle_ = std::move(why);
  if (!obstacle_.empty()) write_log(LogLevel::kWarning, joined("shares: ", obstacle_));
}

void ShareAgent::exchange(std::chrono::milliseconds patience) {
  const Deadline deadline = Clock::now() + patience;
  const auto failed = [&] {
    if (!unanswered_since_) unanswered_since_ = engine_.now();
  };
  // Once the failure policies are applied, connecting may take longer.
  const bool unreachable =
      unanswered_since_ &&
      engine_.now() - *unanswered_since_ > Duration{std::chrono::nanoseconds(patience).count()};
  if (!link_.connected()) {
    const absl::Status status =
        link_.connect(unreachable ? Clock::now() + kConnectTimeout : deadline);
    if (!status.ok()) {
      last_error_ = std::string(message_of(status));
      return failed();
    }
  }
  if (!find_run_id(deadline)) return failed();
  Demands demands;
  for (const auto& [id, leased] : leased_) demands[id] = leased.meter.demand(leased.rates);
  const ShareHolder::Exchange exchange = holder_.begin(engine_.now());
  const ScriptCall call = scripts_.exchange(run_id_, session_, options_.node_id, exchange, demands);
  const auto replies = link_.scripts(std::span(&call, 1), deadline);
  if (!replies.ok() || run_id_of_connection_ != link_.connections()) {
    if (!replies.ok()) last_error_ = std::string(message_of(replies.status()));
    return failed();
  }
  if (const absl::Status status = status_of(replies->front()); !status.ok()) {
    last_error_ = std::string(message_of(status));
    return failed();
  }
  const auto reply = exchange_reply_of(replies->front());
  if (!reply.ok()) {
    last_error_ = std::string(message_of(reply.status()));
    return failed();
  }
  holder_.on_answer(exchange.sequence, reply->answer, reply->generation,
                    reply->granted ? &*reply->granted : nullptr);
  // Redis without data gives no lease: what is held stays active until it ends.
  if (reply->answer == ExchangeAnswer::kRenewed) granted_epoch_ = reply->epoch;
  unanswered_since_.reset();
}

RateLease ShareAgent::lease_of(const std::string& id, const Leased& leased) const {
  const auto held = holder_.held().find(id);
  return lease_by(leased.sharing.failure_policy, leased.state.value_or(PolicyState::kShared),
                  held != holder_.held().end() ? held->second : Share{}, leased.rates);
}

void ShareAgent::apply_policies(TimePoint now) {
  const bool lease_over = now >= holder_.ends().share;
  std::map<std::pair<PolicyState, bool>, std::vector<const std::string*>> changed;
  for (auto& [id, leased] : leased_) {
    const bool unreachable =
        unanswered_since_ && now - *unanswered_since_ >= leased.sharing.decide_within;
    const PolicyState state = policy_state(leased.sharing.failure_policy, unreachable, lease_over);
    if (leased.state == state) continue;
    // The first state is no change, unless it is a fault.
    if (leased.state || state != PolicyState::kShared) {
      ++leased.policy_changes;
      changed[{state, unreachable}].push_back(&id);
    }
    leased.state = state;
  }
  for (const auto& [how, ids] : changed) {
    const auto& [state, unreachable] = how;
    const LogLevel level = state == PolicyState::kShared ? LogLevel::kInfo : LogLevel::kWarning;
    const std::string rest =
        joined("leaks ", description_of(state),
               unreachable ? joined("; Redis does not answer: ", last_error_)
                           : std::string(lease_over ? "; it has no lease" : ""));
    if (ids.size() <= kMostLines) {
      for (const std::string* const id : ids) write_log(level, joined("bucket ", *id, ": ", rest));
      continue;
    }
    std::string some;
    for (std::size_t i = 0; i < kNamedTogether; ++i) some += *ids[i] + ", ";
    write_log(level, joined("buckets ", some, "and ", ids.size() - kNamedTogether, " others: each ",
                            rest));
  }
}

// Lower shares first, then the new ends of the leases, then higher shares.
void ShareAgent::apply_shares() {
  apply_policies(engine_.now());
  const bool lapsed = engine_.lapses() != lapses_;
  lapses_ = engine_.lapses();
  const auto put = [&](Leased& leased, const RateLease& lease) {
    if (const auto use = leased.bucket->use()) engine_.lease(leased.bucket->ref(), lease);
    leased.active = lease;
  };
  std::vector<std::pair<const std::string*, RateLease>> later;
  for (auto& [id, leased] : leased_) {
    const RateLease lease = lease_of(id, leased);
    if (leased.active == lease && !lapsed) continue;
    if (leased.active && !lapsed &&
        (less(lease.share, leased.active->share) ||
         less(lease.fallback, leased.active->fallback))) {
      put(leased, lease);
      // Where the old lease was over, that was its fallback: the share follows with the new ends.
      if (engine_.now() < active_ends_.share) continue;
    }
    later.emplace_back(&id, lease);
  }
  if (const LeaseEnds ends = holder_.ends(); ends.share != TimePoint{}) {
    engine_.set_lease_ends(ends);
    active_ends_ = ends;
  }
  for (const auto& [id, lease] : later) put(leased_.find(*id)->second, lease);
}

void ShareAgent::lead(std::chrono::milliseconds patience) {
  const ShareLeader leader = leader_();
  if (!leader.is_self) {
    allocator_.reset();
    return;
  }
  if (!allocator_ || allocator_epoch_ != leader.epoch) {
    allocator_.emplace(options_.timing);
    allocator_epoch_ = leader.epoch;
  }
  const Deadline deadline = Clock::now() + patience;
  const ScriptCall ask = scripts_.snapshot(run_id_, leader.epoch, random_generation());
  const auto replies = link_.scripts(std::span(&ask, 1), deadline);
  if (!replies.ok() || run_id_of_connection_ != link_.connections()) return;
  if (!status_of(replies->front()).ok()) return;
  auto snapshot = snapshot_of(replies->front());
  if (!snapshot.ok()) return;
  ShareAllocator::Buckets buckets;
  for (const auto& [id, leased] : leased_) {
    LeasedBucket& bucket = buckets[id];
    bucket.rates = leased.rates;
    bucket.weights = leased.sharing.weights;
    if (leased.sharing.failure_policy == FailurePolicy::kSafeShare) {
      bucket.reserve =
          static_cast<std::uint64_t>(leased.sharing.safe_reserve * static_cast<double>(kWholeRate));
    }
  }
  const SharePlan plan = allocator_->plan(*snapshot, buckets, engine_.now());
  if (plan.learned) {
    write_log(LogLevel::kInfo,
              joined("shares: all earlier leases have ended; granting from now on, "
                     "epoch ",
                     leader.epoch));
  }
  for (const auto& [id, sequence] : plan.lost) {
    write_log(LogLevel::kWarning,
              joined("shares: ", id, " sent nothing for the length of a lease"));
  }
  if (!plan.changes_nothing(*snapshot)) {
    const ScriptCall write = scripts_.apply_plan(run_id_, leader.epoch, *snapshot, plan);
    (void)link_.scripts(std::span(&write, 1), deadline);
  }
  snapshot_ = *std::move(snapshot);
}

void ShareAgent::look(std::chrono::milliseconds patience) {
  const ScriptCall ask = scripts_.look(run_id_);
  const auto replies = link_.scripts(std::span(&ask, 1), Clock::now() + patience);
  if (!replies.ok() || !status_of(replies->front()).ok()) return;
  auto snapshot = snapshot_of(replies->front());
  if (snapshot.ok()) snapshot_ = *std::move(snapshot);
}

void ShareAgent::publish(TimePoint now) {
  std::map<std::string, control::ShareState, std::less<>> states;
  std::vector<control::BucketShares> shares;
  for (const auto& [id, leased] : leased_) {
    control::ShareState& state = states[id];
    state.policy_state = leased.state.value_or(PolicyState::kClosed);
    if (leased.active) {
      state.share = now < holder_.ends().share ? leased.active->share : leased.active->fallback;
    }
    state.demand = part_of(leased.rates, leased.meter.demand(leased.rates));
    state.lease_end = holder_.ends().share;
    state.epoch = granted_epoch_;
    state.policy_changes = leased.policy_changes;
    control::BucketShares& bucket = shares.emplace_back();
    bucket.bucket_id = id;
    const auto part = [](std::uint64_t parts) {
      return static_cast<double>(parts) / static_cast<double>(kWholeRate);
    };
    for (const auto& [session, known] : snapshot_.sessions) {
      control::NodeShare& node = bucket.nodes.emplace_back();
      node.node_id = known.node_id;
      if (const auto held = known.held.find(id); held != known.held.end()) {
        node.share = part(held->second.leased + held->second.safe);
        node.safe_share = part(held->second.safe);
      }
      if (const auto demand = known.demands.find(id); demand != known.demands.end()) {
        node.demand = part(demand->second);
      }
    }
  }
  MutexLock lock(mutex_);
  states_ = std::move(states);
  shares_ = std::move(shares);
}

std::optional<control::ShareState> ShareAgent::share_of(std::string_view bucket_id) const {
  MutexLock lock(mutex_);
  const auto state = states_.find(bucket_id);
  if (state == states_.end()) return std::nullopt;
  return state->second;
}

std::string ShareAgent::obstacle() const {
  MutexLock lock(mutex_);
  return obstacle_;
}

std::vector<control::BucketShares> ShareAgent::shares() const {
  MutexLock lock(mutex_);
  return shares_;
}

}  // namespace drip::cluster
