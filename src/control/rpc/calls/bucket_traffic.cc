// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/bucket_traffic.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "base/errors.h"
#include "base/quantile.h"
#include "base/text.h"
#include "control/rpc/calls/packet_bucket.h"
#include "control/traffic/traffic_monitor.h"

namespace drip::control {
namespace {

constexpr std::uint32_t kDefaultFlows = 10;
constexpr std::uint64_t kMostFlows = 16;

void write(const TrafficReading::RoundTrips& trips, v1::RoundTrips& message) {
  message.set_count(trips.all.total());
  message.set_sum_ns(trips.all.sum_ns);
  const std::vector<std::uint32_t>& recent = trips.recent_us;
  if (recent.empty()) return;
  const auto ns = [](std::uint32_t us) { return std::uint64_t{us} * 1000; };
  message.set_recent_count(static_cast<std::uint32_t>(recent.size()));
  message.set_recent_min_ns(ns(recent.front()));
  message.set_recent_p50_ns(ns(quantile(recent, 0.5)));
  message.set_recent_p90_ns(ns(quantile(recent, 0.9)));
  message.set_recent_max_ns(ns(recent.back()));
}

void write(const TrafficReading& reading, std::uint32_t most_flows,
           v1::GetBucketTrafficResponse& response) {
  write(reading.to(traffic::Side::kDestination), *response.mutable_to_destination());
  write(reading.to(traffic::Side::kSource), *response.mutable_to_source());
  response.set_segments(reading.segments);
  response.set_retransmitted_segments(reading.retransmitted_segments);
  const auto rate = [&](std::uint64_t bytes) {
    return static_cast<std::uint64_t>(reading.flows.bits_per_second(bytes));
  };
  for (const traffic::TopFlows::Flow& flow : reading.flows.flows) {
    if (response.flows_size() == static_cast<int>(most_flows)) break;
    v1::TrafficFlow& message = *response.add_flows();
    message.set_flow(to_text(flow.key));
    message.set_bps(rate(flow.bytes));
    message.set_overrated_bps(rate(flow.overrated));
  }
  response.set_bps(rate(reading.flows.total_bytes));
  response.set_measured_over_ns(
      static_cast<std::uint64_t>(std::max<std::int64_t>(reading.flows.span.ns, 0)));
}

// A configured bucket, or that of a flow.
absl::Status check_exists(const ServicesContext& context, const std::string& id) {
  const absl::Status configured = get_packet_bucket(context.buckets, "bucket_id", id).status();
  if (!absl::IsNotFound(configured)) return configured;
  BucketFilter filter;
  filter.ids = {id};
  filter.include_flows = true;
  filter.id_prefix = id;
  return context.listing.page(filter, "", 1).ok() ? absl::OkStatus() : configured;
}

}  // namespace

absl::Status get_bucket_traffic(const access::Caller& caller, const ServicesContext& context,
                                const v1::GetBucketTrafficRequest& request,
                                v1::GetBucketTrafficResponse& response) {
  const std::uint32_t most = request.max_flows() == 0 ? kDefaultFlows : request.max_flows();
  absl::Status status =
      check_range("max_flows", std::uint64_t{most}, std::uint64_t{1}, kMostFlows, ", or 0 for 10");
  if (!status.ok()) return status;
  status = access::check_covers(caller, "bucket_id", request.bucket_id());
  if (!status.ok()) return status;
  if (context.traffic == nullptr) {
    return absl::FailedPreconditionError(
        "bucket_id: the node takes no samples of traffic; dripd --traffic-samples turns it on");
  }
  if (status = check_exists(context, request.bucket_id()); !status.ok()) return status;
  if (const auto reading = context.traffic->read(request.bucket_id())) {
    write(*reading, most, response);
  }
  const SamplePlan plan = context.traffic->totals().plan;
  response.set_connections_one_in(plan.mask + 1U);
  response.set_packets_one_in(plan.one_in);
  return absl::OkStatus();
}

}  // namespace drip::control
