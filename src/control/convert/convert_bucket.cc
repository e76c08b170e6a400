// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes the messages of bucket.proto.
#include "control/convert/convert_bucket.h"

#include <algorithm>
#include <cmath>

#include "base/errors.h"
#include "base/text.h"
#include "drip/bucket_ring.h"

namespace drip::control {
namespace {

/// A rate that is 0 (absent from then on) or within its range. NaN is in no range.
absl::StatusOr<double> read_rate(std::string_view field, double rate, double least, double most,
                                 std::string_view allowed) {
  if (rate == 0) return 0.0;
  if (rate >= least && rate <= most) return rate;
  return not_allowed(field, joined(rate), allowed);
}

absl::Status read_rates(const v1::BucketConfig& config, std::string_view path, BucketPatch& patch) {
  if (config.has_leak_rate()) {
    const absl::StatusOr<double> rate =
        read_rate(joined(path, "leak_rate"), config.leak_rate(), kMinUnitsPerSecond,
                  kMaxUnitsPerSecond, "0.000277778 to 1e+09 units a second");
    if (!rate.ok()) return rate.status();
    patch.units_per_second = *rate;
  }
  if (config.has_leak_rate_bps()) {
    const absl::StatusOr<double> rate =
        read_rate(joined(path, "leak_rate_bps"), config.leak_rate_bps(), kMinBitsPerSecond,
                  kMaxBitsPerSecond, "1 to 4e+11 bits a second");
    if (!rate.ok()) return rate.status();
    patch.bits_per_second = *rate;
  }
  return absl::OkStatus();
}

absl::Status read_capacities(const v1::BucketConfig& config, std::string_view path,
                             BucketPatch& patch) {
  if (config.has_capacity()) {
    absl::Status status = check_range(joined(path, "capacity"), config.capacity(), std::uint64_t{1},
                                      std::uint64_t{kMaxCapacity}, " units");
    if (!status.ok()) return status;
    patch.capacity = static_cast<std::uint32_t>(config.capacity());
  }
  if (config.has_capacity_bytes()) {
    absl::Status status = check_range(joined(path, "capacity_bytes"), config.capacity_bytes(),
                                      std::uint64_t{0}, kMaxCapacityBytes, " bytes (0: no bound)");
    if (!status.ok()) return status;
    patch.capacity_bytes = config.capacity_bytes();
  }
  return absl::OkStatus();
}

absl::Status read_accounting(const v1::BucketConfig& config, std::string_view path,
                             BucketPatch& patch) {
  if (config.has_overhead_bytes()) {
    absl::Status status =
        check_range(joined(path, "overhead_bytes"), std::int64_t{config.overhead_bytes()},
                    std::int64_t{kMinOverheadBytes}, std::int64_t{kMaxOverheadBytes}, " bytes");
    if (!status.ok()) return status;
    patch.overhead_bytes = config.overhead_bytes();
  }
  if (config.has_min_frame_bytes()) {
    absl::Status status =
        check_range(joined(path, "min_frame_bytes"), std::uint64_t{config.min_frame_bytes()},
                    std::uint64_t{0}, std::uint64_t{kMaxMinFrameBytes}, " bytes");
    if (!status.ok()) return status;
    patch.min_frame_bytes = config.min_frame_bytes();
  }
  if (config.has_max_catchup_ns()) {
    absl::Status status =
        check_range(joined(path, "max_catchup_ns"), config.max_catchup_ns(), std::uint64_t{0},
                    static_cast<std::uint64_t>(kMaxMaxCatchup.ns), " ns");
    if (!status.ok()) return status;
    patch.max_catchup = Duration{static_cast<std::int64_t>(config.max_catchup_ns())};
  }
  return absl::OkStatus();
}

absl::Status read_departure(const v1::BucketConfig& config, std::string_view path,
                            BucketPatch& patch) {
  switch (config.departure()) {
    case v1::DEPARTURE_UNSPECIFIED:
      return absl::OkStatus();
    case v1::DEPARTURE_AT_START:
      patch.departure = Departure::kAtStart;
      return absl::OkStatus();
    case v1::DEPARTURE_AT_END:
      patch.departure = Departure::kAtEnd;
      return absl::OkStatus();
    default:
      return not_allowed(joined(path, "departure"), joined(static_cast<int>(config.departure())),
                         "DEPARTURE_AT_START (1), DEPARTURE_AT_END (2) or unset");
  }
}

template <typename Value>
struct Named {
  Value value;
  int number;  // In the protobuf enum.
};

/// The value whose number it is; none for 0.
template <typename Value, std::size_t kCount>
absl::Status read_choice(std::string_view field, int number, const Named<Value> (&choices)[kCount],
                         std::string_view allowed, std::optional<Value>& result) {
  if (number == 0) return absl::OkStatus();
  for (const Named<Value>& choice : choices) {
    if (choice.number != number) continue;
    result = choice.value;
    return absl::OkStatus();
  }
  return not_allowed(field, joined(number), allowed);
}

constexpr Named<Scope> kScopes[] = {{Scope::kNode, v1::SCOPE_NODE},
                                    {Scope::kCluster, v1::SCOPE_CLUSTER}};
constexpr Named<Sharing> kSharings[] = {{Sharing::kExact, v1::SHARING_EXACT},
                                        {Sharing::kSplit, v1::SHARING_SPLIT}};
constexpr Named<FailurePolicy> kPolicies[] = {
    {FailurePolicy::kClosed, v1::FAILURE_POLICY_CLOSED},
    {FailurePolicy::kSafeShare, v1::FAILURE_POLICY_SAFE_SHARE},
    {FailurePolicy::kLastShare, v1::FAILURE_POLICY_LAST_SHARE},
    {FailurePolicy::kOpen, v1::FAILURE_POLICY_OPEN}};
constexpr Named<PolicyState> kPolicyStates[] = {
    {PolicyState::kShared, v1::POLICY_STATE_SHARED},
    {PolicyState::kSafeShare, v1::POLICY_STATE_SAFE_SHARE},
    {PolicyState::kLastShare, v1::POLICY_STATE_LAST_SHARE},
    {PolicyState::kClosed, v1::POLICY_STATE_CLOSED},
    {PolicyState::kOpen, v1::POLICY_STATE_OPEN}};

template <typename Message, typename Value, std::size_t kCount>
Message message_value(Value value, const Named<Value> (&choices)[kCount]) {
  for (const Named<Value>& choice : choices) {
    if (choice.value == value) return static_cast<Message>(choice.number);
  }
  return static_cast<Message>(0);
}

absl::Status read_choices(const v1::BucketConfig& config, std::string_view path,
                          BucketPatch& patch) {
  absl::Status status =
      read_choice(joined(path, "scope"), static_cast<int>(config.scope()), kScopes,
                  "SCOPE_NODE (1), SCOPE_CLUSTER (2) or unset", patch.scope);
  if (!status.ok()) return status;
  status = read_choice(joined(path, "sharing"), static_cast<int>(config.sharing()), kSharings,
                       "SHARING_EXACT (1), SHARING_SPLIT (2) or unset", patch.sharing);
  if (!status.ok()) return status;
  return read_choice(joined(path, "failure_policy"), static_cast<int>(config.failure_policy()),
                     kPolicies,
                     "FAILURE_POLICY_CLOSED (1), FAILURE_POLICY_SAFE_SHARE (2), "
                     "FAILURE_POLICY_LAST_SHARE (3), FAILURE_POLICY_OPEN (4) or unset",
                     patch.failure_policy);
}

absl::Status read_sharing(const v1::BucketConfig& config, std::string_view path,
                          BucketPatch& patch) {
  if (absl::Status status = read_choices(config, path, patch); !status.ok()) return status;
  if (config.has_decide_within_ns()) {
    absl::Status status = check_range(joined(path, "decide_within_ns"), config.decide_within_ns(),
                                      static_cast<std::uint64_t>(kMinDecideWithin.ns),
                                      static_cast<std::uint64_t>(kMaxDecideWithin.ns), " ns");
    if (!status.ok()) return status;
    patch.decide_within = Duration{static_cast<std::int64_t>(config.decide_within_ns())};
  }
  if (config.has_safe_reserve()) {
    if (!(config.safe_reserve() >= 0 && config.safe_reserve() <= 1)) {
      return not_allowed(joined(path, "safe_reserve"), joined(config.safe_reserve()), "0 to 1");
    }
    patch.safe_reserve = config.safe_reserve();
  }
  for (const auto& [node, weight] : config.weights()) {
    absl::Status status =
        check_range(joined(path, "weights[", quoted(node), "]"), std::uint64_t{weight},
                    std::uint64_t{1}, std::uint64_t{kMaxShareWeight}, "");
    if (!status.ok()) return status;
    patch.weights[node] = weight;
  }
  return absl::OkStatus();
}

absl::StatusOr<BucketPatch> read_fields(const v1::BucketConfig& config, std::string_view path) {
  BucketPatch patch;
  patch.id = config.bucket_id();
  patch.path = path;
  for (const auto read :
       {read_capacities, read_rates, read_accounting, read_departure, read_sharing}) {
    if (absl::Status status = read(config, path, patch); !status.ok()) return status;
  }
  if (config.has_expected_revision()) patch.expected_revision = config.expected_revision();
  return patch;
}

}  // namespace

absl::StatusOr<BucketPatch> read_patch(const v1::BucketConfig& config, std::string_view path) {
  absl::Status name = check_name(joined(path, "bucket_id"), config.bucket_id());
  if (!name.ok()) return name;
  return read_fields(config, path);
}

absl::StatusOr<BucketPatch> read_template(const v1::BucketConfig& config, std::string_view path) {
  if (!config.bucket_id().empty()) {
    return not_allowed(joined(path, "bucket_id"), quoted(config.bucket_id()),
                       "empty, for each flow's bucket is named after its flow");
  }
  if (config.scope() == v1::SCOPE_CLUSTER) {
    return not_allowed(joined(path, "scope"), "SCOPE_CLUSTER",
                       "SCOPE_NODE (1) or unset, for a flow's bucket is its node's");
  }
  if (config.has_expected_revision()) {
    return not_allowed(joined(path, "expected_revision"), joined(config.expected_revision()),
                       "unset, for what is configured here is no bucket yet");
  }
  return read_fields(config, path);
}

v1::BucketConfig config_of(const v1::ConfigureBucketRequest& request) {
  v1::BucketConfig config;
  config.set_bucket_id(request.bucket_id());
  if (request.has_capacity()) config.set_capacity(request.capacity());
  if (request.has_leak_rate()) config.set_leak_rate(request.leak_rate());
  if (request.has_leak_rate_bps()) config.set_leak_rate_bps(request.leak_rate_bps());
  if (request.has_capacity_bytes()) config.set_capacity_bytes(request.capacity_bytes());
  if (request.has_overhead_bytes()) config.set_overhead_bytes(request.overhead_bytes());
  if (request.has_min_frame_bytes()) config.set_min_frame_bytes(request.min_frame_bytes());
  config.set_departure(request.departure());
  if (request.has_max_catchup_ns()) config.set_max_catchup_ns(request.max_catchup_ns());
  config.set_scope(request.scope());
  config.set_sharing(request.sharing());
  config.set_failure_policy(request.failure_policy());
  if (request.has_decide_within_ns()) config.set_decide_within_ns(request.decide_within_ns());
  if (request.has_safe_reserve()) config.set_safe_reserve(request.safe_reserve());
  *config.mutable_weights() = request.weights();
  if (request.has_expected_revision()) config.set_expected_revision(request.expected_revision());
  return config;
}

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

void write_config(const BucketSettings& settings, v1::BucketConfig& config) {
  config.set_capacity(settings.capacity);
  config.set_leak_rate(settings.units_per_second);
  config.set_leak_rate_bps(settings.bits_per_second);
  config.set_capacity_bytes(settings.capacity_bytes);
  config.set_overhead_bytes(settings.overhead_bytes);
  config.set_min_frame_bytes(settings.min_frame_bytes);
  config.set_departure(settings.departure == Departure::kAtStart ? v1::DEPARTURE_AT_START
                                                                 : v1::DEPARTURE_AT_END);
  config.set_max_catchup_ns(static_cast<std::uint64_t>(settings.max_catchup.ns));
}

void write_sharing(const BucketSharing& sharing, v1::BucketConfig& config) {
  config.set_scope(message_value<v1::Scope>(sharing.scope, kScopes));
  if (sharing.scope == Scope::kNode) return;
  config.set_sharing(message_value<v1::Sharing>(sharing.sharing, kSharings));
  config.set_failure_policy(message_value<v1::FailurePolicy>(sharing.failure_policy, kPolicies));
  config.set_decide_within_ns(static_cast<std::uint64_t>(sharing.decide_within.ns));
  if (sharing.split()) config.set_safe_reserve(sharing.safe_reserve);
  for (const auto& [node, weight] : sharing.weights) (*config.mutable_weights())[node] = weight;
}

void write_share(const ShareState& share, const EpochClock& clock, v1::Bucket& bucket) {
  bucket.set_share_rate(share.share.units_per_second);
  bucket.set_share_rate_bps(share.share.bits_per_second);
  bucket.set_demand_rate(share.demand.units_per_second);
  bucket.set_demand_rate_bps(share.demand.bits_per_second);
  if (share.lease_end != TimePoint{}) bucket.set_lease_end_time(clock.epoch_ms(share.lease_end));
  bucket.set_policy_state(message_value<v1::PolicyState>(share.policy_state, kPolicyStates));
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
  const BucketStats& reading = state.reading;
  const auto rejected = [&](RejectReason reason) {
    return reading.rejected[static_cast<std::size_t>(reason)];
  };
  bucket.set_bucket_id(state.id);
  bucket.set_queue_size(reading.backlog);
  bucket.set_capacity(state.settings.capacity);
  bucket.set_leak_rate(state.settings.units_per_second);
  bucket.set_last_leak_time(reading.departed > 0 ? clock.epoch_ms(reading.last_departure) : 0);
  bucket.set_total_requests(reading.admitted + state.rejected());
  bucket.set_allowed_requests(reading.admitted);
  bucket.set_rejected_requests(state.rejected());
  bucket.set_processed_requests(reading.departed);

  write_config(state.settings, *bucket.mutable_config());
  bucket.mutable_config()->set_bucket_id(state.id);
  write_sharing(state.sharing, *bucket.mutable_config());
  bucket.set_scope(bucket.config().scope());
  if (state.share) write_share(*state.share, clock, bucket);
  bucket.set_true_leak_rate(reading.periods.true_units_per_second());
  bucket.set_true_leak_rate_bps(reading.periods.true_bits_per_second());
  bucket.set_queue_bytes(reading.backlog_bytes);
  bucket.set_allowed_bytes(reading.admitted_bytes);
  bucket.set_rejected_bytes(reading.rejected_bytes);
  bucket.set_processed_bytes(reading.departed_bytes);
  bucket.set_rejected_full(rejected(RejectReason::kFull));
  bucket.set_rejected_full_bytes(rejected(RejectReason::kFullBytes));
  bucket.set_rejected_draining(rejected(RejectReason::kDraining));
  bucket.set_rejected_too_long(rejected(RejectReason::kTooLong));
  bucket.set_dropped_requests(reading.dropped);
  write_histogram(reading.sojourn, *bucket.mutable_sojourn());
  write_histogram(reading.lateness, *bucket.mutable_lateness());
  bucket.set_forfeited_ns(reading.lost_schedule_ns);
  bucket.set_transmitter(state.transmitter);
  bucket.set_rule_id(state.rule_id);
  bucket.set_flow(state.flow);
  bucket.set_ring_slots(reading.ring_slots);
  bucket.set_memory_bytes(reading.ring_slots * sizeof(RingEntry));
  bucket.set_revision(state.revision);
}

v1::RejectReason reject_reason(RejectReason reason) {
  switch (reason) {
    case RejectReason::kAdmitted:
    case RejectReason::kTooLong:  // Requests are checked before, and packets are not answered.
      return v1::REJECT_REASON_UNSPECIFIED;
    case RejectReason::kFull:
      return v1::REJECT_REASON_FULL;
    case RejectReason::kFullBytes:
      return v1::REJECT_REASON_FULL_BYTES;
    case RejectReason::kDraining:
      return v1::REJECT_REASON_DRAINING;
  }
  return v1::REJECT_REASON_UNSPECIFIED;
}

}  // namespace drip::control
