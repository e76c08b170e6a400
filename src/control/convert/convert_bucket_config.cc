// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes BucketConfig.
#include "control/convert/convert_bucket_config.h"

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_enum.h"
#include "control/convert/convert_queue.h"

namespace drip::control {
namespace {

constexpr EnumPair<Departure> kDepartures[] = {{Departure::kAtStart, v1::DEPARTURE_AT_START},
                                               {Departure::kAtEnd, v1::DEPARTURE_AT_END}};
constexpr EnumPair<Scope> kScopes[] = {{Scope::kNode, v1::SCOPE_NODE},
                                       {Scope::kCluster, v1::SCOPE_CLUSTER}};
constexpr EnumPair<Sharing> kSharings[] = {{Sharing::kExact, v1::SHARING_EXACT},
                                           {Sharing::kSplit, v1::SHARING_SPLIT}};
constexpr EnumPair<FailurePolicy> kPolicies[] = {
    {FailurePolicy::kClosed, v1::FAILURE_POLICY_CLOSED},
    {FailurePolicy::kSafeShare, v1::FAILURE_POLICY_SAFE_SHARE},
    {FailurePolicy::kLastShare, v1::FAILURE_POLICY_LAST_SHARE},
    {FailurePolicy::kOpen, v1::FAILURE_POLICY_OPEN}};

// A rate of 0, which removes it, or within its range. NaN is in no range.
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
  if (config.inner() && config.capacity() == 0) {
    patch.capacity = 0;
  } else if (config.has_capacity()) {
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

absl::Status read_place(const v1::BucketConfig& config, std::string_view path, BucketPatch& patch) {
  if (config.has_inner()) patch.inner = config.inner();
  if (config.has_spread()) patch.spread = config.spread();
  if (config.has_parent_id()) {
    if (!config.parent_id().empty()) {
      absl::Status name = check_name(joined(path, "parent_id"), config.parent_id());
      if (!name.ok()) return name;
    }
    patch.parent_id = config.parent_id();
  }
  if (config.has_guarantee()) {
    const absl::StatusOr<double> rate =
        read_rate(joined(path, "guarantee"), config.guarantee(), kMinUnitsPerSecond,
                  kMaxUnitsPerSecond, "0.000277778 to 1e+09 units a second, or 0");
    if (!rate.ok()) return rate.status();
    patch.guaranteed_units_per_second = *rate;
  }
  if (config.has_guarantee_bps()) {
    const absl::StatusOr<double> rate =
        read_rate(joined(path, "guarantee_bps"), config.guarantee_bps(), kMinBitsPerSecond,
                  kMaxBitsPerSecond, "1 to 4e+11 bits a second, or 0");
    if (!rate.ok()) return rate.status();
    patch.guaranteed_bits_per_second = *rate;
  }
  if (config.has_weight()) {
    absl::Status status = check_range(joined(path, "weight"), std::uint64_t{config.weight()},
                                      std::uint64_t{1}, std::uint64_t{kMaxWeight}, "");
    if (!status.ok()) return status;
    patch.weight = config.weight();
  }
  if (config.has_priority()) {
    absl::Status status = check_range(joined(path, "priority"), std::uint64_t{config.priority()},
                                      std::uint64_t{0}, std::uint64_t{kPriorities - 1}, "");
    if (!status.ok()) return status;
    patch.priority = config.priority();
  }
  if (config.has_tolerance_ns()) {
    absl::Status status =
        check_range(joined(path, "tolerance_ns"), config.tolerance_ns(), std::uint64_t{0},
                    static_cast<std::uint64_t>(kMaxTolerance.ns), " ns");
    if (!status.ok()) return status;
    patch.tolerance = Duration{static_cast<std::int64_t>(config.tolerance_ns())};
  }
  return absl::OkStatus();
}

absl::Status read_enums(const v1::BucketConfig& config, std::string_view path, BucketPatch& patch) {
  absl::Status status =
      read_enum(joined(path, "departure"), static_cast<int>(config.departure()), kDepartures,
                "DEPARTURE_AT_START (1), DEPARTURE_AT_END (2) or unset", patch.departure);
  if (!status.ok()) return status;
  status = read_enum(joined(path, "scope"), static_cast<int>(config.scope()), kScopes,
                     "SCOPE_NODE (1), SCOPE_CLUSTER (2) or unset", patch.scope);
  if (!status.ok()) return status;
  status = read_enum(joined(path, "sharing"), static_cast<int>(config.sharing()), kSharings,
                     "SHARING_EXACT (1), SHARING_SPLIT (2) or unset", patch.sharing);
  if (!status.ok()) return status;
  return read_enum(joined(path, "failure_policy"), static_cast<int>(config.failure_policy()),
                   kPolicies,
                   "FAILURE_POLICY_CLOSED (1), FAILURE_POLICY_SAFE_SHARE (2), "
                   "FAILURE_POLICY_LAST_SHARE (3), FAILURE_POLICY_OPEN (4) or unset",
                   patch.failure_policy);
}

absl::Status read_sharing(const v1::BucketConfig& config, std::string_view path,
                          BucketPatch& patch) {
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

absl::Status read_queue_of(const v1::BucketConfig& config, std::string_view path,
                           BucketPatch& patch) {
  return read_queue(config.queue(), joined(path, "queue."), patch.queue);
}

absl::StatusOr<BucketPatch> read_fields(const v1::BucketConfig& config, std::string_view path) {
  BucketPatch patch;
  patch.id = config.bucket_id();
  patch.path = path;
  for (const auto read : {read_capacities, read_rates, read_accounting, read_place, read_enums,
                          read_queue_of, read_sharing}) {
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
  if (config.inner()) {
    return not_allowed(joined(path, "inner"), "true",
                       "false or unset, for a flow's bucket is a leaf");
  }
  if (config.spread()) {
    return not_allowed(joined(path, "spread"), "true",
                       "false or unset, for a flow's bucket is a leaf");
  }
  if (config.queue().aqm() == v1::AQM_DUALPI2) {
    return not_allowed(joined(path, "queue.aqm"), "AQM_DUALPI2",
                       "AQM_NONE or AQM_CODEL for the buckets of flows");
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
  if (request.has_inner()) config.set_inner(request.inner());
  if (request.has_parent_id()) config.set_parent_id(request.parent_id());
  if (request.has_guarantee()) config.set_guarantee(request.guarantee());
  if (request.has_guarantee_bps()) config.set_guarantee_bps(request.guarantee_bps());
  if (request.has_weight()) config.set_weight(request.weight());
  if (request.has_priority()) config.set_priority(request.priority());
  if (request.has_tolerance_ns()) config.set_tolerance_ns(request.tolerance_ns());
  if (request.has_spread()) config.set_spread(request.spread());
  if (request.has_queue()) *config.mutable_queue() = request.queue();
  config.set_scope(request.scope());
  config.set_sharing(request.sharing());
  config.set_failure_policy(request.failure_policy());
  if (request.has_decide_within_ns()) config.set_decide_within_ns(request.decide_within_ns());
  if (request.has_safe_reserve()) config.set_safe_reserve(request.safe_reserve());
  *config.mutable_weights() = request.weights();
  if (request.has_expected_revision()) config.set_expected_revision(request.expected_revision());
  return config;
}

void write_config(const BucketSettings& settings, v1::BucketConfig& config) {
  config.set_capacity(settings.capacity);
  config.set_leak_rate(settings.units_per_second);
  config.set_leak_rate_bps(settings.bits_per_second);
  config.set_capacity_bytes(settings.capacity_bytes);
  config.set_overhead_bytes(settings.overhead_bytes);
  config.set_min_frame_bytes(settings.min_frame_bytes);
  config.set_departure(write_enum<v1::Departure>(settings.departure, kDepartures));
  config.set_max_catchup_ns(static_cast<std::uint64_t>(settings.max_catchup.ns));
  if (settings.queue != QueueSettings{}) write_queue(settings.queue, *config.mutable_queue());
}

void write_place(const BucketPlace& place, v1::BucketConfig& config) {
  if (place == BucketPlace{}) return;
  config.set_inner(place.inner);
  if (place.spread) config.set_spread(true);
  config.set_parent_id(place.parent_id);
  config.set_guarantee(place.share.guaranteed_units_per_second);
  config.set_guarantee_bps(place.share.guaranteed_bits_per_second);
  config.set_weight(place.share.weight);
  config.set_priority(place.share.priority);
  config.set_tolerance_ns(static_cast<std::uint64_t>(place.share.tolerance.ns));
}

void write_sharing(const BucketSharing& sharing, v1::BucketConfig& config) {
  config.set_scope(write_enum<v1::Scope>(sharing.scope, kScopes));
  if (sharing.scope == Scope::kNode) return;
  config.set_sharing(write_enum<v1::Sharing>(sharing.sharing, kSharings));
  config.set_failure_policy(write_enum<v1::FailurePolicy>(sharing.failure_policy, kPolicies));
  config.set_decide_within_ns(static_cast<std::uint64_t>(sharing.decide_within.ns));
  if (sharing.split()) config.set_safe_reserve(sharing.safe_reserve);
  for (const auto& [node, weight] : sharing.weights) (*config.mutable_weights())[node] = weight;
}

}  // namespace drip::control
