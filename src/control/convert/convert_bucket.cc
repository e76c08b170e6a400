// SPDX-License-Identifier: BSD-3-Clause
// Writes Bucket, and what RPCs about requests have in common.
#include "control/convert/convert_bucket.h"

#include <algorithm>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_enum.h"
#include "control/convert/convert_queue.h"
#include "drip/bucket_ring.h"

namespace drip::control {
namespace {

constexpr EnumPair<PolicyState> kPolicyStates[] = {
    {PolicyState::kShared, v1::POLICY_STATE_SHARED},
    {PolicyState::kSafeShare, v1::POLICY_STATE_SAFE_SHARE},
    {PolicyState::kLastShare, v1::POLICY_STATE_LAST_SHARE},
    {PolicyState::kClosed, v1::POLICY_STATE_CLOSED},
    {PolicyState::kOpen, v1::POLICY_STATE_OPEN}};

constexpr EnumPair<NodeState> kNodeStates[] = {{NodeState::kIdle, v1::TREE_NODE_STATE_IDLE},
                                               {NodeState::kParked, v1::TREE_NODE_STATE_PARKED},
                                               {NodeState::kHeld, v1::TREE_NODE_STATE_HELD},
                                               {NodeState::kStopped, v1::TREE_NODE_STATE_STOPPED},
                                               {NodeState::kReady, v1::TREE_NODE_STATE_READY}};

}  // namespace

absl::StatusOr<std::uint32_t> read_wire_bytes(std::optional<std::uint32_t> bytes,
                                              const BucketSettings& bucket,
                                              std::string_view bucket_id) {
  if (bytes) {
    absl::Status status = check_range("bytes", std::uint64_t{*bytes}, std::uint64_t{1},
                                      std::uint64_t{kMaxWireBytes}, " bytes");
    if (!status.ok()) return status;
    return *bytes;
  }
  if (bucket.bits_per_second > 0) {
    return missing("bytes",
                   joined("bucket ", quoted(bucket_id), " leaks bits, so a request needs 1 to ",
                          kMaxWireBytes, " bytes"));
  }
  return 0;
}

absl::StatusOr<AdmitTerms> read_terms(std::optional<std::uint64_t> max_wait_ns,
                                      std::uint64_t remember_ns) {
  absl::Status status =
      check_range("remember_ns", remember_ns, std::uint64_t{0}, kMaxRememberNs, " ns");
  if (!status.ok()) return status;
  AdmitTerms terms;
  terms.remember.ns = static_cast<std::int64_t>(remember_ns);
  if (max_wait_ns) {
    constexpr auto kMost = static_cast<std::uint64_t>(WaitLimits::kNone.ns);
    terms.limits.start.ns = static_cast<std::int64_t>(std::min(*max_wait_ns, kMost));
  }
  return terms;
}

void write_share(const ShareState& share, const EpochClock& clock, v1::Bucket& bucket) {
  bucket.set_share_rate(share.share.units_per_second);
  bucket.set_share_rate_bps(share.share.bits_per_second);
  bucket.set_demand_rate(share.demand.units_per_second);
  bucket.set_demand_rate_bps(share.demand.bits_per_second);
  if (share.lease_end != TimePoint{}) bucket.set_lease_end_time(clock.epoch_ms(share.lease_end));
  bucket.set_policy_state(write_enum<v1::PolicyState>(share.policy_state, kPolicyStates));
  bucket.set_policy_changes(share.policy_changes);
  bucket.set_share_epoch(share.epoch);
}

void write_histogram(const HistogramCounts& counts, v1::Histogram& histogram) {
  histogram.mutable_counts()->Assign(counts.counts.begin(), counts.counts.end());
  histogram.set_sum_ns(counts.sum_ns);
  histogram.set_max_ns(counts.max_ns);
  histogram.set_p50_ns(counts.quantile_ns(0.50));
  histogram.set_p99_ns(counts.quantile_ns(0.99));
}

void write_bucket(const BucketState& state, const EpochClock& clock, v1::Bucket& bucket) {
  const BucketStats& stats = state.stats;
  const auto rejected = [&](RejectReason reason) {
    return stats.rejected[static_cast<std::size_t>(reason)];
  };
  bucket.set_bucket_id(state.id);
  bucket.set_queue_size(stats.backlog);
  bucket.set_capacity(state.settings.capacity);
  bucket.set_leak_rate(state.settings.units_per_second);
  bucket.set_last_leak_time(stats.departed > 0 ? clock.epoch_ms(stats.last_departure) : 0);
  bucket.set_total_requests(stats.admitted + state.rejected());
  bucket.set_allowed_requests(stats.admitted);
  bucket.set_rejected_requests(state.rejected());
  bucket.set_processed_requests(stats.departed);

  write_config(state.settings, *bucket.mutable_config());
  bucket.mutable_config()->set_bucket_id(state.id);
  write_place(state.place, *bucket.mutable_config());
  write_sharing(state.sharing, *bucket.mutable_config());
  bucket.set_scope(bucket.config().scope());
  if (state.share) write_share(*state.share, clock, bucket);
  bucket.set_true_leak_rate(stats.periods.true_units_per_second());
  bucket.set_true_leak_rate_bps(stats.periods.true_bits_per_second());
  bucket.set_queue_bytes(stats.backlog_bytes);
  bucket.set_allowed_bytes(stats.admitted_bytes);
  bucket.set_rejected_bytes(stats.rejected_bytes);
  bucket.set_processed_bytes(stats.departed_bytes);
  bucket.set_rejected_full(rejected(RejectReason::kFull));
  bucket.set_rejected_full_bytes(rejected(RejectReason::kFullBytes));
  bucket.set_rejected_draining(rejected(RejectReason::kDraining));
  bucket.set_rejected_too_long(rejected(RejectReason::kTooLong));
  bucket.set_rejected_wait_too_long(rejected(RejectReason::kWaitTooLong));
  bucket.set_dropped_requests(stats.dropped);
  write_histogram(stats.sojourn, *bucket.mutable_sojourn());
  write_histogram(stats.lateness, *bucket.mutable_lateness());
  bucket.set_forfeited_ns(stats.lost_schedule_ns);
  if (stats.node_state) {
    bucket.set_tree_node_state(write_enum<v1::TreeNodeState>(*stats.node_state, kNodeStates));
    if (!state.place.parent_id.empty()) {
      // Both are read while packets depart, so not at one moment.
      const std::uint64_t green = std::min(stats.green_bytes, stats.departed_bytes);
      bucket.set_green_bytes(green);
      bucket.set_yellow_bytes(stats.departed_bytes - green);
    }
  }
  for (const CoreShare& share : stats.core_shares) {
    v1::CoreShare& message = *bucket.add_core_shares();
    message.set_transmitter(share.transmitter);
    message.set_share_rate(share.rates.units_per_second);
    message.set_share_rate_bps(share.rates.bits_per_second);
    message.set_processed_requests(share.departed);
    message.set_processed_bytes(share.departed_bytes);
    message.set_tree_node_state(write_enum<v1::TreeNodeState>(share.node_state, kNodeStates));
  }
  if (stats.queue) write_queue_stats(*stats.queue, *bucket.mutable_queue());
  bucket.set_transmitter(state.transmitter);
  bucket.set_moves(state.moves);
  bucket.set_rule_id(state.rule_id);
  bucket.set_flow(state.flow);
  bucket.set_ring_slots(stats.ring_slots);
  bucket.set_memory_bytes(stats.ring_slots * sizeof(RingEntry));
  bucket.set_revision(state.revision);
}

v1::RejectReason reject_reason(RejectReason reason) {
  switch (reason) {
    case RejectReason::kAdmitted:
    case RejectReason::kTooLong:  // Only for packets: read_wire_bytes() checks requests.
      return v1::REJECT_REASON_UNSPECIFIED;
    case RejectReason::kFull:
      return v1::REJECT_REASON_FULL;
    case RejectReason::kFullBytes:
      return v1::REJECT_REASON_FULL_BYTES;
    case RejectReason::kDraining:
      return v1::REJECT_REASON_DRAINING;
    case RejectReason::kWaitTooLong:
      return v1::REJECT_REASON_WAIT_TOO_LONG;
  }
  return v1::REJECT_REASON_UNSPECIFIED;
}

}  // namespace drip::control
