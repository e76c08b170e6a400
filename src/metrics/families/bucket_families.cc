// SPDX-License-Identifier: BSD-3-Clause
// Families of the chosen buckets. A unit (packet or request) counts as one packet.
#include <algorithm>
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

using control::BucketState;
using control::PolicyState;
using control::ShareState;

constexpr FamilySpec kInfo{
    "drip_bucket_info", kGauge, "", "bucket, parent, kind, sharing, transmitter, rule",
    "What a bucket is: its parent in a tree, kind (leaf, inner, flow), sharing (node, split, "
    "exact), transmitter, and the rule of a flow; always 1."};
constexpr FamilySpec kAdmitted{"drip_bucket_admitted_packets_total", kCounter, "packets", "bucket",
                               "Packets and requests that were admitted."};
constexpr FamilySpec kAdmittedBytes{"drip_bucket_admitted_bytes_total", kCounter, "bytes", "bucket",
                                    "Wire bytes that were admitted."};
constexpr FamilySpec kSent{"drip_bucket_sent_packets_total", kCounter, "packets", "bucket",
                           "Packets and requests that departed."};
constexpr FamilySpec kSentBytes{"drip_bucket_sent_bytes_total", kCounter, "bytes", "bucket",
                                "Wire bytes that departed."};
constexpr FamilySpec kRejected{"drip_bucket_rejected_packets_total", kCounter, "packets",
                               "bucket, reason",
                               "Packets and requests that were not admitted, by reason."};
constexpr FamilySpec kRejectedBytes{"drip_bucket_rejected_bytes_total", kCounter, "bytes", "bucket",
                                    "Wire bytes that were not admitted."};
constexpr FamilySpec kDropped{
    "drip_bucket_dropped_packets_total", kCounter, "packets", "bucket, reason",
    "Admitted, then dropped by the queue (overflow, aqm, max_wait) or, other, with the bucket, "
    "for want of memory, or released."};
constexpr FamilySpec kDroppedBytes{"drip_bucket_dropped_bytes_total", kCounter, "bytes", "bucket",
                                   "Wire bytes that were admitted, then dropped."};
constexpr FamilySpec kMarked{"drip_bucket_marked_packets_total", kCounter, "packets", "bucket",
                             "Packets that departed marked Congestion Experienced."};
constexpr FamilySpec kBacklog{"drip_bucket_backlog_packets", kGauge, "packets", "bucket",
                              "Packets and requests that wait."};
constexpr FamilySpec kBacklogBytes{"drip_bucket_backlog_bytes", kGauge, "bytes", "bucket",
                                   "Wire bytes that wait."};
constexpr FamilySpec kLimit{"drip_bucket_queue_limit_packets", kGauge, "packets", "bucket",
                            "Capacity."};
constexpr FamilySpec kLimitBytes{"drip_bucket_queue_limit_bytes", kGauge, "bytes", "bucket",
                                 "capacity_bytes; absent if there is no such bound."};
constexpr FamilySpec kQueueFlows{"drip_bucket_queue_flows", kGauge, "flows", "bucket",
                                 "Flows with packets, or with their turn, of a fair queue."};
constexpr FamilySpec kRate{
    "drip_bucket_rate_bytes_per_second", kGauge, "bytes per second", "bucket",
    "Rate at which it leaks now: of a split bucket the active share, 0 while it is paused."};
constexpr FamilySpec kRatePackets{"drip_bucket_rate_packets_per_second", kGauge,
                                  "packets per second", "bucket",
                                  "The same of a bucket that leaks packets or requests."};
constexpr FamilySpec kCeiling{"drip_bucket_ceiling_bytes_per_second", kGauge, "bytes per second",
                              "bucket", "Rate as configured; absent if it has none in bytes."};
constexpr FamilySpec kCeilingPackets{"drip_bucket_ceiling_packets_per_second", kGauge,
                                     "packets per second", "bucket",
                                     "Rate as configured; absent if it has none in packets."};
constexpr FamilySpec kGuarantee{"drip_bucket_guarantee_bytes_per_second", kGauge,
                                "bytes per second", "bucket",
                                "Guaranteed part of the rate of the parent, if there is one."};
constexpr FamilySpec kGreenBytes{"drip_bucket_green_bytes_total", kCounter, "bytes", "bucket",
                                 "Of those sent, what the guarantee of the bucket covers."};
constexpr FamilySpec kLostSchedule{"drip_bucket_lost_schedule_seconds_total", kCounter, "seconds",
                                   "bucket", "Schedule time given up beyond max_catchup."};
constexpr FamilySpec kSojourn{
    "drip_bucket_sojourn_seconds", kHistogram, "seconds", "bucket",
    "From arrival to departure: what the shaper adds by intent. The sum is exact."};
constexpr FamilySpec kLateness{
    "drip_bucket_lateness_seconds", kHistogram, "seconds", "bucket",
    "Actual minus due departure: what the machine adds. The sum is exact."};
constexpr FamilySpec kDemand{"drip_bucket_demand_bytes_per_second", kGauge, "bytes per second",
                             "bucket", "Split bucket: what this node could use of it."};
constexpr FamilySpec kDemandPackets{"drip_bucket_demand_packets_per_second", kGauge,
                                    "packets per second", "bucket",
                                    "Split bucket: what this node could use of it."};
constexpr FamilySpec kPolicy{
    "drip_bucket_policy_state", kGauge, "boolean", "bucket, state",
    "Bucket of a cluster: 1 for the state that applies (shared, safe_share, last_share, closed, "
    "open)."};
constexpr FamilySpec kPolicyChanges{"drip_bucket_policy_changes_total", kCounter, "changes",
                                    "bucket", "Bucket of a cluster: how often that changed."};

constexpr FamilySpec kCoreRate{"drip_bucket_core_rate_bytes_per_second", kGauge, "bytes per second",
                               "bucket, transmitter",
                               "Spread root: the part of its rate that a transmitter holds now."};
constexpr FamilySpec kCoreRatePackets{"drip_bucket_core_rate_packets_per_second", kGauge,
                                      "packets per second", "bucket, transmitter",
                                      "The same of a root that leaks packets or requests."};
constexpr FamilySpec kCoreSent{"drip_bucket_core_sent_packets_total", kCounter, "packets",
                               "bucket, transmitter",
                               "Spread root: of its departures, those from a transmitter."};
constexpr FamilySpec kCoreSentBytes{"drip_bucket_core_sent_bytes_total", kCounter, "bytes",
                                    "bucket, transmitter", "Spread root: wire bytes of these."};

constexpr std::array kRejectReasonNames = {"full", "full_bytes", "draining", "too_long",
                                           "wait_too_long"};
static_assert(kRejectReasonNames.size() == kRejectReasons);
constexpr std::array kPolicyNames = {"shared", "safe_share", "last_share", "closed", "open"};
static_assert(static_cast<std::size_t>(PolicyState::kOpen) + 1 == kPolicyNames.size());

const char* kind_of(const BucketState& state) {
  if (!state.rule_id.empty()) return "flow";
  return state.place.inner ? "inner" : "leaf";
}
const char* sharing_of(const BucketState& state) {
  if (state.sharing.exact()) return "exact";
  return state.sharing.split() ? "split" : "node";
}

// The families while they are filled: a series goes to each, bucket by bucket.
class BucketFamilies {
 public:
  BucketFamilies(Families& families, std::size_t buckets) : families_(families) {
    for (std::size_t i = 0; i < bucket_specs().size(); ++i) {
      family_.push_back(&families_.begin(*bucket_specs()[i]));
      family_.back()->metric.reserve(buckets);
    }
  }

  void add_bucket(const ChosenBucket& bucket) {
    id_ = bucket.state->id;
    add_identity(*bucket.state);
    add_counts(*bucket.state);
    if (!bucket.state->place.inner) add_queue(*bucket.state);
    add_rates(*bucket.state);
    for (const CoreShare& core : bucket.state->stats.core_shares) add_core(*bucket.state, core);
    if (bucket.state->share) add_share(*bucket.state->share);
    add_latency(of(kSojourn), label(), *bucket.sojourn, kCoarseBounds);
    add_latency(of(kLateness), label(), *bucket.lateness, kCoarseBounds);
  }

 private:
  MetricFamily& of(const FamilySpec& spec) {
    const auto specs = bucket_specs();
    return *family_[static_cast<std::size_t>(std::ranges::find(specs, &spec) - specs.begin())];
  }
  [[nodiscard]] Labels label() const { return {{"bucket", id_}}; }
  void put(const FamilySpec& spec, double value) { add(of(spec), label(), value); }
  void put(const FamilySpec& spec, const char* name, const char* text, double value) {
    add(of(spec), {{"bucket", id_}, {name, text}}, value);
  }

  void add_identity(const BucketState& state) {
    add(of(kInfo),
        {{"bucket", id_},
         {"parent", state.place.parent_id},
         {"kind", kind_of(state)},
         {"sharing", sharing_of(state)},
         {"transmitter", std::to_string(state.transmitter)},
         {"rule", state.rule_id}},
        1);
  }
  void add_counts(const BucketState& state) {
    const BucketStats& stats = state.stats;
    put(kAdmitted, number(stats.admitted));
    put(kAdmittedBytes, number(stats.admitted_bytes));
    put(kSent, number(stats.departed));
    put(kSentBytes, number(stats.departed_bytes));
    const NodeSettings& share = state.place.share;
    if (share.guaranteed_bits_per_second > 0 || share.guaranteed_units_per_second > 0) {
      put(kGreenBytes, number(stats.green_bytes));
    }
    put(kLostSchedule, seconds_of_ns(number(stats.lost_schedule_ns)));
  }
  void add_queue(const BucketState& state) {
    const BucketStats& stats = state.stats;
    for (std::size_t i = 0; i < kRejectReasons; ++i) {
      put(kRejected, "reason", kRejectReasonNames[i], number(stats.rejected[i]));
    }
    put(kRejectedBytes, number(stats.rejected_bytes));
    std::uint64_t by_queue = 0;
    if (stats.queue) {
      const QueueCounters& queue = *stats.queue;
      put(kDropped, "reason", "overflow", number(queue.overflow_drops));
      put(kDropped, "reason", "aqm", number(queue.aqm_drops));
      put(kDropped, "reason", "max_wait", number(queue.max_wait_drops));
      put(kMarked, number(queue.marks));
      put(kQueueFlows, number(queue.flows));
      by_queue = queue.overflow_drops + queue.aqm_drops + queue.max_wait_drops;
    }
    // They are not read at one moment.
    put(kDropped, "reason", "other", number(stats.dropped - std::min(by_queue, stats.dropped)));
    put(kDroppedBytes, number(stats.dropped_bytes));
    put(kBacklog, number(stats.backlog));
    put(kBacklogBytes, number(stats.backlog_bytes));
    put(kLimit, number(state.settings.capacity));
    if (state.settings.capacity_bytes > 0) {
      put(kLimitBytes, number(state.settings.capacity_bytes));
    }
  }
  void add_rates(const BucketState& state) {
    const BucketSettings& settings = state.settings;
    if (settings.bits_per_second > 0) {
      const double now = state.stats.paused ? 0 : state.stats.periods.true_bits_per_second();
      put(kRate, now / 8);
      put(kCeiling, settings.bits_per_second / 8);
    }
    if (settings.units_per_second > 0) {
      const double now = state.stats.paused ? 0 : state.stats.periods.true_units_per_second();
      put(kRatePackets, now);
      put(kCeilingPackets, settings.units_per_second);
    }
    const double guaranteed = state.place.share.guaranteed_bits_per_second;
    if (guaranteed > 0) put(kGuarantee, guaranteed / 8);
  }
  void add_core(const BucketState& state, const CoreShare& core) {
    const std::string transmitter = std::to_string(core.transmitter);
    const auto put_core = [&](const FamilySpec& spec, double value) {
      add(of(spec), {{"bucket", id_}, {"transmitter", transmitter}}, value);
    };
    if (state.settings.bits_per_second > 0) {
      put_core(kCoreRate, core.rates.bits_per_second / 8);
    }
    if (state.settings.units_per_second > 0) {
      put_core(kCoreRatePackets, core.rates.units_per_second);
    }
    put_core(kCoreSent, number(core.departed));
    put_core(kCoreSentBytes, number(core.departed_bytes));
  }
  void add_share(const ShareState& share) {
    if (share.demand.bits_per_second > 0) put(kDemand, share.demand.bits_per_second / 8);
    if (share.demand.units_per_second > 0) put(kDemandPackets, share.demand.units_per_second);
    for (std::size_t i = 0; i < kPolicyNames.size(); ++i) {
      put(kPolicy, "state", kPolicyNames[i],
          i == static_cast<std::size_t>(share.policy_state) ? 1 : 0);
    }
    put(kPolicyChanges, number(share.policy_changes));
  }

  Families& families_;
  std::vector<MetricFamily*> family_;  // In the order of bucket_specs().
  std::string id_;
};

}  // namespace

void add_buckets(std::span<const ChosenBucket> buckets, Families& families) {
  BucketFamilies into(families, buckets.size());
  for (const ChosenBucket& bucket : buckets) into.add_bucket(bucket);
}

std::span<const FamilySpec* const> bucket_specs() {
  static constexpr std::array kSpecs = {
      &kInfo,          &kAdmitted,      &kAdmittedBytes, &kSent,           &kSentBytes,
      &kRejected,      &kRejectedBytes, &kDropped,       &kDroppedBytes,   &kMarked,
      &kBacklog,       &kBacklogBytes,  &kLimit,         &kLimitBytes,     &kQueueFlows,
      &kRate,          &kRatePackets,   &kCeiling,       &kCeilingPackets, &kGuarantee,
      &kGreenBytes,    &kLostSchedule,  &kSojourn,       &kLateness,       &kDemand,
      &kDemandPackets, &kPolicy,        &kPolicyChanges, &kCoreRate,       &kCoreRatePackets,
      &kCoreSent,      &kCoreSentBytes};
  return kSpecs;
}

}  // namespace drip::metrics
