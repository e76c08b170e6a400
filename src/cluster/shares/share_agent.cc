// SPDX-License-Identifier: BSD-3-Clause
// The agent's thread: rounds of exchanges, and what follows from their replies.
#include "cluster/shares/share_agent.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "base/thread.h"
#include "cluster/shares/lease/rate_division.h"
#include "cluster/shares/share_policy.h"

namespace drip::cluster {

namespace {

// A share that is no longer used is free for others within two heartbeats.
constexpr double kPeriodsOfMemory = 2;
constexpr std::chrono::milliseconds kConnectTimeout{250};
// What Redis may take longer to answer for each bucket that other nodes have exchanges of, at most
// a quarter of the lease.
constexpr std::chrono::microseconds kPatienceForABucket{20};
// The pace with very many buckets: how often arrivals are looked at, and how often demands are told
// that need not be told at once. A look takes some 0.2 us of a CPU a bucket, telling some 2 us of
// all CPUs.
constexpr std::chrono::microseconds kLookForABucket{2};
constexpr std::chrono::microseconds kTellForABucket{4};
// Finding the buckets anew waits so many times as long as the last time took.
constexpr int kPauseOfFinding = 4;

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
      groups_(kShareGroups, LeasedGroup(options_.timing)),
      snapshots_(scripts_, link_) {}

void ShareAgent::start() {
  // No leased share may leak before the first lease.
  const TimePoint now = engine_.now();
  active_ends_ = {now, now};
  engine_.set_lease_ends(active_ends_);
  for (LeasedGroup& group : groups_) group.measured = group.exchanged = group.renewed = now;
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
  forget_nodes();
  answer();
  // No lease is active on this node any more, so its shares are free at once.
  const TimePoint now = engine_.now();
  engine_.set_lease_ends({now, now});
  if (!link_.open()) return;
  std::vector<std::uint32_t> known;
  for (std::uint32_t group = 0; group < kShareGroups; ++group) {
    if (groups_[group].known) known.push_back(group);
  }
  (void)link_.run(scripts_.leave(link_.run_id(), session_, known),
                  Clock::now() + std::chrono::milliseconds(100));
}

void ShareAgent::run() {
  auto next = Clock::now();
  while (true) {
    const auto begun = Clock::now();
    tick();
    // A round that takes long is followed by a pause of half of it, for others.
    const auto end = Clock::now();
    next =
        std::max(next + options_.period,
                 end + std::max<Clock::duration>(std::chrono::milliseconds(1), (end - begun) / 2));
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

std::chrono::milliseconds ShareAgent::patience() const {
  const std::chrono::nanoseconds more = std::min<std::chrono::nanoseconds>(
      kPatienceForABucket * static_cast<std::int64_t>(leased_buckets_), keep_alive_period());
  return std::max(std::chrono::milliseconds(1),
                  std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::nanoseconds(decide_within_.ns) + more));
}

Duration ShareAgent::span_of(std::chrono::nanoseconds a_bucket) const {
  const auto all = a_bucket * static_cast<std::int64_t>(leased_buckets_);
  return Duration{
      std::clamp<std::chrono::nanoseconds>(all, options_.period / 2, keep_alive_period()).count()};
}

void ShareAgent::tick() {
  find_buckets();
  // Without such buckets the agent only looks, so that the leader knows Redis's data when the first
  // bucket comes.
  if (leased_buckets_ == 0 && Clock::now() - last_round_ < keep_alive_period()) {
    forget_nodes();
    return answer();
  }
  last_round_ = Clock::now();
  measure();
  const ShareLeader leader = leader_();
  bool asked = false;
  {
    MutexLock lock(mutex_);
    asked = !questions_.empty();
  }
  const std::uint64_t lapses = engine_.lapses();
  lapsed_ = lapses != lapses_;
  const TimePoint begun = engine_.now();
  const absl::StatusOr<SharePoll> poll = this->poll(leader.is_self || asked);
  if (!poll.ok()) unanswered(poll.status(), begun);
  if (poll.ok() && make_exchanges(*poll)) unanswered_since_.reset();
  apply_failure_policies();
  lapses_ = lapses;
  policy_log_.write(last_error_);
  states_.put_lease(granted_epoch_, active_ends_.share);
  if (!unanswered_since_) {
    give_up_empty_groups();
    if (leader.is_self) {
      lead(*poll, leader);
    } else {
      granter_.reset();
      if (asked) look(*poll);
    }
  }
  forget_nodes();
  answer();
}

bool ShareAgent::make_exchanges(const SharePoll& poll) {
  const std::vector<std::uint32_t> groups = due(poll);
  for (std::size_t first = 0; first < groups.size();) {
    const std::span<const std::uint32_t> rest = std::span(groups).subspan(first);
    if (!renew_leases()) return false;
    const TimePoint begun = engine_.now();
    const auto some = rest.first(
        groups_of_a_call(rest, [&](std::uint32_t i) { return groups_[i].entries.size(); }));
    if (const absl::Status status = exchange(some); !status.ok()) {
      unanswered(status, begun);
      return false;
    }
    unanswered_since_.reset();
    apply(some);
    first += some.size();
  }
  return renew_leases();
}

// Of all groups that have not been heard of for a quarter of a lease, whatever else there is to do:
// the node's lease ends with the first of them.
bool ShareAgent::renew_leases() {
  const TimePoint now = engine_.now();
  const Duration keep_alive{keep_alive_period().count()};
  std::vector<std::uint32_t> old;
  std::vector<GroupExchange> exchanges;
  for (std::uint32_t i = 0; i < kShareGroups; ++i) {
    LeasedGroup& group = groups_[i];
    if (!group.known || now - group.renewed < keep_alive || !group.holder.renewable(now)) continue;
    if (group.entries.empty() && group.holder.held().empty()) continue;
    old.push_back(i);
    GroupExchange& exchange = exchanges.emplace_back();
    exchange.group = i;
    exchange.exchange = group.holder.renew(now);
    group.renewed = now;
  }
  if (old.empty()) return true;
  const auto replies = run_exchanges(exchanges);
  if (!replies.ok()) {
    unanswered(replies.status(), now);
    return false;
  }
  unanswered_since_.reset();
  for (std::size_t n = 0; n < old.size(); ++n) {
    LeasedGroup& group = groups_[old[n]];
    const ExchangeAnswer answer = replies->groups[n].answer;
    group.holder.on_answer(exchanges[n].exchange.sequence, answer, replies->generation, nullptr);
    if (answer != ExchangeAnswer::kRenewed) group.pending = true;
  }
  set_lease_ends();
  return true;
}

absl::StatusOr<ExchangeReplies> ShareAgent::run_exchanges(
    std::span<const GroupExchange> exchanges) {
  const auto reply =
      link_.run(scripts_.exchange(link_.run_id(), session_, options_.node_id,
                                  groups_[exchanges.front().group].holder.generation(), exchanges),
                Clock::now() + patience());
  if (!reply.ok()) return reply.status();
  return exchange_replies_of(*reply, exchanges.size());
}

void ShareAgent::unanswered(const absl::Status& why, TimePoint begun) {
  last_error_ = std::string(message_of(why));
  if (!unanswered_since_) unanswered_since_ = begun;
}

void ShareAgent::find_buckets() {
  const std::uint64_t changes = buckets_.split_changes();
  const auto begun = Clock::now();
  if (split_changes_ == changes || begun < find_again_) return;
  split_changes_ = changes;
  std::vector<std::vector<control::BucketEntryRef>> by_group(kShareGroups);
  for (control::BucketEntryRef& bucket : buckets_.split_buckets()) {
    const std::uint32_t group = share_group_of(bucket->id_view());
    by_group[group].push_back(std::move(bucket));
  }
  leased_buckets_ = 0;
  decide_within_ = Duration{};
  for (std::uint32_t i = 0; i < kShareGroups; ++i) {
    LeasedGroup& group = groups_[i];
    if (group.set_buckets(by_group[i])) {
      if (granter_) granter_->replan(i);
      states_.put(i, group);
    }
    leased_buckets_ += group.entries.size();
    for (const LeasedEntry& entry : group.entries) {
      const Duration within = entry.sharing.decide_within;
      if (decide_within_ == Duration{} || within < decide_within_) decide_within_ = within;
    }
  }
  if (leased_buckets_ == 0) decide_within_ = control::kDefaultDecideWithin;
  const auto end = Clock::now();
  find_again_ = end + kPauseOfFinding * (end - begun);
}

void ShareAgent::measure() {
  const TimePoint now = engine_.now();
  const Duration span = span_of(kLookForABucket);
  const double period = std::chrono::duration<double>(options_.period).count();
  const double memory = kPeriodsOfMemory * std::max(period, static_cast<double>(span.ns) * 1e-9);
  // So many groups a round that all have their turn once in `span`.
  const std::int64_t turns =
      std::max<std::int64_t>(1, span.ns / std::chrono::nanoseconds(options_.period).count());
  auto most = static_cast<std::uint32_t>(kShareGroups / turns + 1);
  for (std::uint32_t n = 0; n < kShareGroups && most > 0; ++n) {
    const std::uint32_t i = measure_next_;
    measure_next_ = (measure_next_ + 1) % kShareGroups;
    LeasedGroup& group = groups_[i];
    if (group.entries.empty()) continue;
    group.measure(engine_, static_cast<double>((now - group.measured).ns) * 1e-9, memory);
    group.measured = now;
    states_.put(i, group);
    if (turns > 1) --most;
  }
}

absl::StatusOr<SharePoll> ShareAgent::poll(bool with_changes) {
  const Deadline deadline = Clock::now() + patience();
  // Once the failure policies are applied, connecting may take longer.
  const bool unreachable =
      unanswered_since_ &&
      engine_.now() - *unanswered_since_ > Duration{std::chrono::nanoseconds(patience()).count()};
  if (absl::Status status = link_.open(unreachable ? Clock::now() + kConnectTimeout : deadline,
                                       unreachable ? Clock::now() + kConnectTimeout : deadline);
      !status.ok()) {
    return status;
  }
  const auto reply = link_.run(scripts_.poll(link_.run_id(), with_changes), deadline);
  if (!reply.ok()) return reply.status();
  return poll_of(*reply);
}

std::vector<std::uint32_t> ShareAgent::due(const SharePoll& poll) {
  std::vector<std::uint32_t> due;
  // Redis has no data of shares until the leader has begun them.
  if (poll.data.generation == 0) return due;
  const TimePoint now = engine_.now();
  const Duration later = span_of(kTellForABucket);
  for (std::uint32_t i = 0; i < kShareGroups; ++i) {
    LeasedGroup& group = groups_[i];
    if (group.entries.empty() && group.holder.held().empty()) continue;
    group.holder.set_generation(poll.data.generation);
    const auto version = poll.versions.find(i);
    group.next_version = version == poll.versions.end() ? 0 : version->second;
    const bool tell = group.news() == LeasedGroup::News::kUrgent ||
                      (group.news() == LeasedGroup::News::kSome && now - group.exchanged >= later);
    if (group.pending || group.version != group.next_version || tell ||
        !group.holder.renewable(now)) {
      due.push_back(i);
    }
  }
  return due;
}

absl::Status ShareAgent::exchange(std::span<const std::uint32_t> groups) {
  std::vector<GroupExchange> exchanges;
  exchanges.reserve(groups.size());
  const TimePoint now = engine_.now();
  for (const std::uint32_t i : groups) {
    LeasedGroup& group = groups_[i];
    group.exchanged = now;
    group.renewed = now;
    group.known = true;
    group.pending = true;
    GroupExchange& exchange = exchanges.emplace_back();
    exchange.group = i;
    exchange.exchange = group.holder.begin(now);
    exchange.demands = group.report();
  }
  const auto replies = run_exchanges(exchanges);
  if (!replies.ok()) return replies.status();
  for (std::size_t n = 0; n < groups.size(); ++n) {
    ShareHolder& holder = groups_[groups[n]].holder;
    const ExchangeReply& answer = replies->groups[n];
    const Shares* granted = answer.granted ? &*answer.granted : nullptr;
    if (answer.as_held) granted = &holder.held();
    holder.on_answer(exchanges[n].exchange.sequence, answer.answer, replies->generation, granted);
    // Redis without data gives no lease: what is held stays active until it ends.
    if (answer.answer != ExchangeAnswer::kRenewed) continue;
    granted_epoch_ = replies->epoch;
    groups_[groups[n]].version = groups_[groups[n]].next_version;
    groups_[groups[n]].pending = granted != nullptr && !answer.as_held;
  }
  return absl::OkStatus();
}

// Of groups that have no bucket any more, and hold nothing.
void ShareAgent::give_up_empty_groups() {
  std::vector<std::uint32_t> empty;
  for (std::uint32_t i = 0; i < kShareGroups; ++i) {
    const LeasedGroup& group = groups_[i];
    if (group.known && group.entries.empty() && group.holder.held().empty()) empty.push_back(i);
  }
  if (empty.empty()) return;
  const auto reply =
      link_.run(scripts_.leave(link_.run_id(), session_, empty), Clock::now() + patience());
  if (!reply.ok()) return;
  for (const std::uint32_t i : empty) groups_[i].known = false;
}

void ShareAgent::lead(const SharePoll& poll, const ShareLeader& leader) {
  if (!granter_ || granter_->epoch() != leader.epoch) {
    granter_.emplace(
        ShareGranter::Parts{
            scripts_, link_, snapshots_, [this] { return engine_.now(); },
            [this] { return Clock::now() + patience(); }, [this] { return renew_leases(); },
            [this](std::uint32_t group) -> const LeasedGroup& { return groups_[group]; }},
        options_.timing, leader.epoch);
  }
  granter_->lead(poll);
  MutexLock lock(mutex_);
  looked_ = Clock::now();
}

}  // namespace drip::cluster
