// SPDX-License-Identifier: BSD-3-Clause
#include "web/traffic_json.h"

#include <cmath>
#include <cstdint>

#include "base/quantile.h"

namespace drip::web {
namespace {

using nlohmann::ordered_json;

ordered_json round_trips_json(const control::TrafficReading::RoundTrips& trips) {
  ordered_json json = {{"count", trips.all.total()},
                       {"recent", trips.recent_us.size()},
                       {"p50_ns", nullptr},
                       {"p90_ns", nullptr}};
  if (!trips.recent_us.empty()) {
    json["p50_ns"] = std::uint64_t{quantile(trips.recent_us, 0.5)} * 1000;
    json["p90_ns"] = std::uint64_t{quantile(trips.recent_us, 0.9)} * 1000;
  }
  return json;
}

}  // namespace

ordered_json traffic_json(const control::TrafficReading& reading) {
  ordered_json flows = ordered_json::array();
  for (const traffic::TopFlows::Flow& flow : reading.flows.flows) {
    flows.push_back({{"flow", to_text(flow.key)},
                     {"bps", std::round(reading.flows.bits_per_second(flow.sure_bytes()))}});
  }
  return {{"to_destination", round_trips_json(reading.to(traffic::Side::kDestination))},
          {"to_source", round_trips_json(reading.to(traffic::Side::kSource))},
          {"segments", reading.segments},
          {"retransmitted_segments", reading.retransmitted_segments},
          {"measured_over_ns", reading.flows.span.ns},
          {"flows", std::move(flows)}};
}

}  // namespace drip::web
