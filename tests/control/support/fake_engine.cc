// SPDX-License-Identifier: BSD-3-Clause
// The engine in virtual time.
#include "fake_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace drip::control {

// Calls that may not overlap one another.
class FakeEngine::Exclusive {
 public:
  explicit Exclusive(const FakeEngine& engine) : engine_(engine) {
    EXPECT_FALSE(engine_.in_exclusive_call_.exchange(true)) << "calls overlap that may not";
  }
  ~Exclusive() { engine_.in_exclusive_call_ = false; }
  Exclusive(const Exclusive&) = delete;
  Exclusive& operator=(const Exclusive&) = delete;

 private:
  const FakeEngine& engine_;
};

FakeBucket& FakeEngine::bucket(BucketRef ref) {
  const auto found = buckets_.find(ref.slot);
  EXPECT_TRUE(found != buckets_.end()) << "no bucket in slot " << ref.slot;
  return found->second;
}

const FakeBucket& FakeEngine::bucket(BucketRef ref) const {
  return const_cast<FakeEngine*>(this)->bucket(ref);
}

void FakeEngine::retire_drained() {
  std::erase_if(buckets_, [](const auto& entry) {
    return entry.second.draining && entry.second.backlog() == 0;
  });
}

void FakeEngine::advance(Duration span) {
  const std::lock_guard lock(mutex_);
  now_ = now_ + span;
  for (auto& [slot, fake] : buckets_) fake.run_until(now_);
  retire_drained();
}

bool FakeEngine::offer_packet(BucketRef ref, std::uint32_t bytes) {
  const std::lock_guard lock(mutex_);
  return bucket(ref).admit(nullptr, bytes, now_).reason == RejectReason::kAdmitted;
}

void FakeEngine::count_hits(std::uint32_t worker, std::size_t rule, std::uint64_t packets,
                            std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  rules_->workers.at(worker)[rule].packets.add(packets);
  rules_->workers.at(worker)[rule].bytes.add(bytes);
}

CaptureRing* FakeEngine::capture_of(BucketRef ref) const {
  const std::lock_guard lock(mutex_);
  const auto found = captures_.find(ref.slot);
  return found == captures_.end() ? nullptr : found->second;
}

void FakeEngine::begin_capture(BucketRef ref, CaptureRing& capture) {
  const std::lock_guard lock(mutex_);
  (void)bucket(ref);
  EXPECT_TRUE(captures_.empty()) << "one at a time";
  captures_[ref.slot] = &capture;
}

bool FakeEngine::begin_flow_capture(std::uint32_t flow_rule, const FlowPlace& flow,
                                    CaptureRing& capture) {
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(flow_rules_.contains(flow_rule));
  if (flow.bucket == ended_flow_) return false;
  EXPECT_TRUE(captures_.empty()) << "one at a time";
  captures_[flow.bucket.slot] = &capture;
  return true;
}

bool FakeEngine::is_captured(BucketRef ref) {
  const std::lock_guard lock(mutex_);
  return captures_.contains(ref.slot) && ref != ended_flow_;
}

void FakeEngine::end_flow(BucketRef ref) {
  const std::lock_guard lock(mutex_);
  ended_flow_ = ref;
}

void FakeEngine::end_capture(BucketRef ref) {
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(captures_.erase(ref.slot), 1U);
}

std::vector<SampleRing*> FakeEngine::sample_rings() const {
  const std::lock_guard lock(mutex_);
  return sample_rings_;
}

void FakeEngine::begin_sampling(std::span<SampleRing* const> rings) {
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(rings.size(), worker_count());
  sample_rings_.assign(rings.begin(), rings.end());
}

void FakeEngine::end_sampling() {
  const std::lock_guard lock(mutex_);
  sample_rings_.clear();
}

Admission FakeEngine::place_of(BucketRef ref, const RequestRecord& record) const {
  const std::lock_guard lock(mutex_);
  return bucket(ref).place_of(record, now_);
}

ArrivalCounts FakeEngine::arrivals(BucketRef ref) const {
  const BucketStats stats = read(ref);
  ArrivalCounts counts{stats.admitted, stats.admitted_bytes + stats.rejected_bytes, stats.backlog,
                       stats.backlog_bytes};
  for (const std::uint64_t rejected : stats.rejected) counts.units += rejected;
  return counts;
}

void FakeEngine::lease(std::span<const LeaseChange> leases) {
  const std::lock_guard lock(mutex_);
  for (const LeaseChange& change : leases) {
    (void)bucket(change.bucket);
    leases_[change.bucket.slot] = change.lease;
  }
}

void FakeEngine::set_lease_ends(LeaseEnds ends) {
  const std::lock_guard lock(mutex_);
  lease_ends = ends;
}

std::map<std::uint32_t, RateLease> FakeEngine::leases() const {
  const std::lock_guard lock(mutex_);
  return leases_;
}

std::map<std::uint32_t, FlowRuleSettings> FakeEngine::flow_rules() const {
  const std::lock_guard lock(mutex_);
  return flow_rules_;
}

std::shared_ptr<const RuleSnapshot> FakeEngine::rules() const {
  const std::lock_guard lock(mutex_);
  return rules_;
}

std::vector<BucketRef> FakeEngine::packet_buckets() const {
  const std::lock_guard lock(mutex_);
  return packet_buckets_;
}

std::size_t FakeEngine::buckets() const {
  const std::lock_guard lock(mutex_);
  return buckets_.size();
}

absl::Status FakeEngine::apply(std::span<BucketChange> changes) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  ++applies;
  if (!fail_apply.ok()) return fail_apply;
  for (BucketChange& change : changes) {
    if (change.ref) {
      bucket(*change.ref).change(change.settings, now_);
      continue;
    }
    change.ref = BucketRef{0, next_slot_++};
    buckets_.emplace(std::piecewise_construct, std::forward_as_tuple(change.ref->slot),
                     std::forward_as_tuple(change.settings, now_));
  }
  last_changes.assign(changes.begin(), changes.end());
  return absl::OkStatus();
}

Removal FakeEngine::remove(BucketRef ref, bool drop_backlog) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  if (rules_ != nullptr) {
    for (const RuleAction& action : rules_->actions) {
      EXPECT_FALSE(action.kind == RuleAction::Kind::kBucket && action.bucket == ref);
    }
    EXPECT_FALSE(rules_->fallback.kind == RuleAction::Kind::kBucket &&
                 rules_->fallback.bucket == ref);
    for (const FlowPath& path : rules_->flow_paths) {
      EXPECT_FALSE(path.overflow.kind == RuleAction::Kind::kBucket && path.overflow.bucket == ref);
    }
  }
  removed.push_back(ref.slot);
  FakeBucket& fake = bucket(ref);
  EXPECT_FALSE(fake.draining) << "removed twice";
  fake.draining = true;
  Removal removal;
  if (drop_backlog) removal.dropped = fake.drop_all(RequestRecord::State::kDropped);
  removal.draining = fake.backlog();
  retire_drained();
  return removal;
}

void FakeEngine::move(std::span<BucketMove> moves) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  for (std::size_t at = 0; at < moves.size(); at += moves[at].nodes) {
    if (moves[at].nodes == 1) continue;
    const std::span<BucketMove> tree = moves.subspan(at, moves[at].nodes);
    moved_trees.emplace_back(tree.begin(), tree.end());
  }
  for (BucketMove& move : moves) {
    FakeBucket& fake = bucket(move.from);
    if (fake.backlog() > 0) continue;  // It stays.
    move.moved = BucketRef{move.transmitter, next_slot_++};
    auto node = buckets_.extract(move.from.slot);
    node.key() = move.moved->slot;
    buckets_.insert(std::move(node));
    const std::size_t indices = rules_->rule_slots + kPacketKinds;
    for (std::size_t i = 0; i < indices; ++i) {
      if (rules_->targets[i].load() == move.from) rules_->targets[i].store(*move.moved);
    }
  }
}

BucketStats FakeEngine::read(BucketRef ref) const {
  const std::lock_guard lock(mutex_);
  return bucket(ref).read();
}

TimePoint FakeEngine::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

Admission FakeEngine::admit(BucketRef ref, RequestRecord& record, std::uint32_t wire_bytes,
                            WaitLimits limits) {
  if (before_admit) before_admit();
  const std::lock_guard lock(mutex_);
  EXPECT_EQ(record.state.load(), RequestRecord::State::kIdle);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&record) % kCacheLineBytes, 0U);
  FakeBucket& fake = bucket(ref);
  EXPECT_FALSE(fake.draining) << "admission into a bucket that was removed";
  return fake.admit(&record, wire_bytes, now_, limits);
}

void FakeEngine::admit_many(std::span<UnitsToAdmit> units) {
  for (UnitsToAdmit& one : units) {
    if (one.record != nullptr) {
      EXPECT_EQ(one.count, 1U);
      one.admission = admit(one.bucket, *one.record, one.wire_bytes, one.limits);
      one.admitted = one.admission.reason == RejectReason::kAdmitted ? 1 : 0;
      continue;
    }
    const std::lock_guard lock(mutex_);
    FakeBucket& fake = bucket(one.bucket);
    EXPECT_FALSE(fake.draining) << "admission into a bucket that was removed";
    fake.admit_units(one, now_);
  }
}

void FakeEngine::release(BucketRef ref, RequestRecord& record) {
  const std::lock_guard lock(mutex_);
  ++releases;
  if (record.ended()) return;
  bucket(ref).release(record, now_);
}

Duration FakeEngine::busy_for(BucketRef ref) {
  const std::lock_guard lock(mutex_);
  return bucket(ref).busy_for(now_);
}

void FakeEngine::occupy(BucketRef ref, Duration busy) {
  const std::lock_guard lock(mutex_);
  occupied[ref.slot] = busy;
  bucket(ref).occupy(now_ + busy);
}

absl::StatusOr<std::uint32_t> FakeEngine::create_flow_rule(const FlowRuleSettings& settings) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  if (!fail_create_flow_rule.ok()) return fail_create_flow_rule;
  flow_rules_.emplace(next_flow_rule_, settings);
  return next_flow_rule_++;
}

absl::Status FakeEngine::change_flow_rule(std::uint32_t flow_rule,
                                          const FlowRuleSettings& settings) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  if (!fail_change_flow_rule.ok()) return fail_change_flow_rule;
  flow_rules_.at(flow_rule) = settings;
  return absl::OkStatus();
}

void FakeEngine::remove_flow_rule(std::uint32_t flow_rule) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  for (const RuleAction& action : rules_->actions) {
    EXPECT_FALSE(action.kind == RuleAction::Kind::kFlows && action.flow_rule == flow_rule);
  }
  EXPECT_EQ(flow_rules_.erase(flow_rule), 1U);
}

std::vector<FlowStats> FakeEngine::list_flows(std::uint32_t flow_rule, std::size_t limit) const {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(flow_rules_.contains(flow_rule));
  std::vector<FlowStats> result = flows;
  result.resize(std::min(result.size(), limit));
  return result;
}

std::vector<FlowPlace> FakeEngine::find_flows(std::uint32_t flow_rule) const {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(flow_rules_.contains(flow_rule));
  return flow_places;
}

BucketStats FakeEngine::read_flow(std::uint32_t flow_rule, BucketRef bucket) const {
  {
    const std::lock_guard lock(mutex_);
    EXPECT_TRUE(flow_rules_.contains(flow_rule));
  }
  return read(bucket);
}

std::string FakeEngine::flow_text(const FlowKey& key) const { return to_text(key, {}); }

FlowRuleStats FakeEngine::read_flow_rule(std::uint32_t flow_rule) const {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  EXPECT_TRUE(flow_rules_.contains(flow_rule));
  return {flows.size(), flows.size() + 5, 7, last_refused};
}

absl::StatusOr<std::shared_ptr<const RuleSnapshot>> FakeEngine::swap_rules(
    std::shared_ptr<const RuleSnapshot> rules, std::span<const BucketRef> packet_buckets) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  ++swaps;
  if (!fail_swap.ok()) return fail_swap;
  EXPECT_EQ(rules->workers.size(), worker_count());
  for (const RuleAction& action : rules->actions) {
    if (action.kind == RuleAction::Kind::kBucket) (void)bucket(action.bucket);
    if (action.kind == RuleAction::Kind::kFlows) {
      EXPECT_TRUE(flow_rules_.contains(action.flow_rule));
    }
  }
  packet_buckets_.assign(packet_buckets.begin(), packet_buckets.end());
  return std::exchange(rules_, std::move(rules));
}

absl::StatusOr<std::shared_ptr<const RuleSnapshot>> FakeEngine::append_rule(
    std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  ++swaps;
  ++appends;
  if (!fail_swap.ok()) return fail_swap;
  EXPECT_NE(rules->base, nullptr);
  if (bucket) {
    (void)this->bucket(*bucket);
    if (std::ranges::find(packet_buckets_, *bucket) == packet_buckets_.end()) {
      packet_buckets_.push_back(*bucket);
    }
  }
  return std::exchange(rules_, std::move(rules));
}

std::shared_ptr<const RuleSnapshot> FakeEngine::erase_rule(
    std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) {
  const Exclusive exclusive(*this);
  const std::lock_guard lock(mutex_);
  ++swaps;
  ++erasures;
  EXPECT_NE(rules->base, nullptr);
  if (bucket) {
    (void)this->bucket(*bucket);
    EXPECT_EQ(std::erase(packet_buckets_, *bucket), 1U) << "no rule has sent packets there";
  }
  return std::exchange(rules_, std::move(rules));
}

std::optional<std::uint16_t> FakeEngine::find_port(std::string_view name) const {
  for (std::size_t i = 0; i < port_stats.size(); ++i) {
    if (port_stats[i].name == name) return static_cast<std::uint16_t>(i);
  }
  return std::nullopt;
}

std::vector<std::string> FakeEngine::port_names() const {
  std::vector<std::string> names;
  for (const PortStats& port : port_stats) names.push_back(port.name);
  return names;
}

MemoryStats FakeEngine::memory() const {
  return {.budget_bytes = 1 << 30, .reserved_bytes = 1 << 20, .mbufs = 8192};
}

ClockStats FakeEngine::clock() const { return {.tsc_hz = 2.5e9, .drift_ppm = 0.25}; }

std::uint64_t FakeEngine::drain_and_stop(Duration bound) {
  const std::lock_guard lock(mutex_);
  std::uint64_t dropped = 0;
  for (auto& [slot, fake] : buckets_) {
    fake.run_until(now_ + bound);
    dropped += fake.drop_all(RequestRecord::State::kStopped);
  }
  return dropped;
}

}  // namespace drip::control
