// SPDX-License-Identifier: BSD-3-Clause
// An engine in virtual time, which also catches callers that break the seam's rules.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "fake_bucket.h"

namespace drip::control {

/// Thread safe. Time stands still between calls of advance(). Fails the test if a call names a
/// bucket or flow rule that does not exist (any more), if the present rules would dangle, or if two
/// calls overlap that may not.
class FakeEngine final : public Engine {
 public:
  ~FakeEngine() override { (void)drain_and_stop(Duration{}); }

  // What the test does.
  void advance(Duration span);
  /// A packet for this bucket; whether it was admitted.
  bool offer_packet(BucketRef bucket, std::uint32_t bytes);
  void count_hits(std::uint32_t worker, std::size_t rule, std::uint64_t packets,
                  std::uint64_t bytes);
  [[nodiscard]] Admission place_of(BucketRef bucket, const RequestRecord& record) const;

  // What the next calls answer, until it is OK again.
  absl::Status fail_apply, fail_swap, fail_create_flow_rule, fail_change_flow_rule;
  // Each flow rule's flows.
  std::vector<FlowStats> flows;
  std::vector<FlowPlace> flow_places;
  TimePoint last_refused;
  std::vector<PortStats> port_stats = {{.name = "lan"}, {.name = "wan"}};
  std::vector<LcoreStats> lcore_readings;
  /// Called by admit() before it admits, without a lock: to make calls overlap.
  std::function<void()> before_admit;

  // What the test looks at.
  std::vector<BucketChange> last_changes;  // Of the last apply() that succeeded.
  std::vector<std::uint32_t> removed;      // Slots, in the order of their removal.
  std::vector<std::vector<BucketMove>> moved_trees;
  std::map<std::uint32_t, Duration> occupied;  // By slot: of occupy().
  std::atomic<int> applies{0}, swaps{0}, appends{0}, erasures{0}, releases{0};
  [[nodiscard]] std::map<std::uint32_t, FlowRuleSettings> flow_rules() const;
  [[nodiscard]] std::shared_ptr<const RuleSnapshot> rules() const;
  [[nodiscard]] std::vector<BucketRef> packet_buckets() const;
  [[nodiscard]] std::size_t buckets() const;
  [[nodiscard]] std::map<std::uint32_t, RateLease> leases() const;
  std::atomic<std::uint64_t> lapse_count{0};
  LeaseEnds lease_ends;

  /// The ring of the bucket that is captured; null if none is.
  [[nodiscard]] CaptureRing* capture_of(BucketRef bucket) const;
  /// The flow that has this bucket ends, though find_flows() still tells of it.
  void end_flow(BucketRef bucket);

  /// The workers' rings while packets are sampled; empty otherwise.
  [[nodiscard]] std::vector<SampleRing*> sample_rings() const;

  // Engine.
  void begin_sampling(std::span<SampleRing* const> rings) override;
  void end_sampling() override;
  void begin_capture(BucketRef bucket, CaptureRing& capture) override;
  [[nodiscard]] bool begin_flow_capture(std::uint32_t flow_rule, const FlowPlace& flow,
                                        CaptureRing& capture) override;
  [[nodiscard]] bool is_captured(BucketRef bucket) override;
  void end_capture(BucketRef bucket) override;
  absl::Status apply(std::span<BucketChange> changes) override;
  Removal remove(BucketRef bucket, bool drop_backlog) override;
  void move(std::span<BucketMove> moves) override;
  [[nodiscard]] BucketStats read(BucketRef bucket) const override;
  [[nodiscard]] std::uint64_t backlog(BucketRef bucket) const override {
    return read(bucket).backlog;
  }
  [[nodiscard]] TimePoint now() const override;
  using Engine::admit;
  Admission admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes,
                  WaitLimits limits) override;
  void admit_many(std::span<UnitsToAdmit> units) override;
  void release(BucketRef bucket, RequestRecord& record) override;
  [[nodiscard]] Duration busy_for(BucketRef bucket) override;
  void occupy(BucketRef bucket, Duration busy) override;
  [[nodiscard]] ArrivalCounts arrivals(BucketRef bucket) const override;
  using Engine::lease;
  void lease(std::span<const LeaseChange> leases) override;
  void set_lease_ends(LeaseEnds ends) override;
  [[nodiscard]] std::uint64_t lapses() const override { return lapse_count; }
  absl::StatusOr<std::uint32_t> create_flow_rule(const FlowRuleSettings& settings) override;
  absl::Status change_flow_rule(std::uint32_t flow_rule, const FlowRuleSettings& settings) override;
  void remove_flow_rule(std::uint32_t flow_rule) override;
  [[nodiscard]] std::vector<FlowStats> list_flows(std::uint32_t flow_rule,
                                                  std::size_t limit) const override;
  [[nodiscard]] std::vector<FlowPlace> find_flows(std::uint32_t flow_rule) const override;
  [[nodiscard]] BucketStats read_flow(std::uint32_t flow_rule, BucketRef bucket) const override;
  [[nodiscard]] std::string flow_text(const FlowKey& key) const override;
  [[nodiscard]] FlowRuleStats read_flow_rule(std::uint32_t flow_rule) const override;
  absl::StatusOr<std::shared_ptr<const RuleSnapshot>> swap_rules(
      std::shared_ptr<const RuleSnapshot> rules,
      std::span<const BucketRef> packet_buckets) override;
  absl::StatusOr<std::shared_ptr<const RuleSnapshot>> append_rule(
      std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) override;
  std::shared_ptr<const RuleSnapshot> erase_rule(std::shared_ptr<const RuleSnapshot> rules,
                                                 std::optional<BucketRef> bucket) override;
  [[nodiscard]] std::uint32_t worker_count() const override { return 2; }
  [[nodiscard]] std::optional<std::uint16_t> find_port(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> port_names() const override;
  [[nodiscard]] std::vector<PortStats> ports() const override { return port_stats; }
  [[nodiscard]] std::vector<LcoreStats> lcores() const override { return lcore_readings; }
  [[nodiscard]] MemoryStats memory() const override;
  [[nodiscard]] ClockStats clock() const override;
  std::uint64_t drain_and_stop(Duration bound) override;

 private:
  class Exclusive;

  FakeBucket& bucket(BucketRef ref);
  const FakeBucket& bucket(BucketRef ref) const;
  void retire_drained();

  mutable std::mutex mutex_;
  mutable std::atomic<bool> in_exclusive_call_{false};
  TimePoint now_{1'000'000'000'000};
  std::uint32_t next_slot_ = 1;
  std::map<std::uint32_t, FakeBucket> buckets_;
  std::map<std::uint32_t, RateLease> leases_;
  std::map<std::uint32_t, CaptureRing*> captures_;  // By slot.
  std::optional<BucketRef> ended_flow_;
  std::vector<SampleRing*> sample_rings_;
  std::uint32_t next_flow_rule_ = 1;
  std::map<std::uint32_t, FlowRuleSettings> flow_rules_;
  std::shared_ptr<const RuleSnapshot> rules_;
  std::vector<BucketRef> packet_buckets_;
};

}  // namespace drip::control
