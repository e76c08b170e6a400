// SPDX-License-Identifier: BSD-3-Clause
#include "telemetry/node_telemetry.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/errors.h"
#include "base/quantity.h"
#include "engine/drop_reason.h"

namespace drip::telemetry {
namespace {

using control::BucketState;
using control::ServicesContext;
using dpdk::TelemetryAnswer;
using dpdk::TelemetryCounts;
using dpdk::TelemetryNames;
using Result = absl::StatusOr<TelemetryAnswer>;

std::uint64_t whole(double value) { return static_cast<std::uint64_t>(std::llround(value)); }

void add_latency(const std::string& name, const HistogramCounts& counts, TelemetryCounts& into) {
  into.emplace_back(name + "_sum_ns", counts.sum_ns);
  into.emplace_back(name + "_max_ns", counts.max_ns);
  into.emplace_back(name + "_p50_ns", counts.quantile_ns(0.5));
  into.emplace_back(name + "_p99_ns", counts.quantile_ns(0.99));
}

// Names that come after the parameter, in order: the last one of an answer asks for the next.
Result list_buckets(const ServicesContext& context, const std::string& after) {
  TelemetryNames names;
  for (const auto& bucket : context.buckets.list("", after, dpdk::kTelemetryNames)) {
    names.push_back(bucket->id());
  }
  return TelemetryAnswer(std::move(names));
}

Result show_bucket(const ServicesContext& context, const std::string& id) {
  const auto bucket = context.buckets.get("bucket", id);
  if (!bucket.ok()) return bucket.status();
  const std::optional<BucketState> state = (*bucket)->state();
  if (!state) return not_found("bucket", "bucket", id);
  const BucketStats& stats = state->stats;
  TelemetryCounts counts = {
      {"bucket", id},
      {"parent", state->place.parent_id},
      {"capacity", std::uint64_t{state->settings.capacity}},
      {"rate_bps", whole(stats.paused ? 0 : stats.periods.true_bits_per_second())},
      {"rate_pps", whole(stats.paused ? 0 : stats.periods.true_units_per_second())},
      {"admitted_packets", stats.admitted},
      {"admitted_bytes", stats.admitted_bytes},
      {"sent_packets", stats.departed},
      {"sent_bytes", stats.departed_bytes},
      {"green_bytes", stats.green_bytes},
      {"rejected_packets", state->rejected()},
      {"rejected_bytes", stats.rejected_bytes},
      {"dropped_packets", stats.dropped},
      {"dropped_bytes", stats.dropped_bytes},
      {"backlog_packets", stats.backlog},
      {"backlog_bytes", stats.backlog_bytes},
      {"lost_schedule_ns", stats.lost_schedule_ns}};
  if (stats.queue) {
    counts.emplace_back("marked_packets", stats.queue->marks);
    counts.emplace_back("queue_flows", std::uint64_t{stats.queue->flows});
  }
  add_latency("sojourn", stats.sojourn, counts);
  add_latency("lateness", stats.lateness, counts);
  return TelemetryAnswer(std::move(counts));
}

Result show_lcores(const ServicesContext& context, const std::string& parameter) {
  const std::vector<LcoreStats> lcores = context.engine.lcores();
  if (parameter.empty()) {
    TelemetryNames names;
    for (std::size_t i = 0; i < lcores.size(); ++i) names.push_back(std::to_string(i));
    return TelemetryAnswer(std::move(names));
  }
  const auto index = parse_integer(parameter, 0, static_cast<std::int64_t>(lcores.size()) - 1);
  if (!index) return not_found("lcore", "lcore", parameter);
  const LcoreStats& lcore = lcores[static_cast<std::size_t>(*index)];
  TelemetryCounts counts = {{"cpu", std::to_string(lcore.cpu)},
                            {"numa_node", std::to_string(lcore.numa_node)},
                            {"loops", lcore.loops},
                            {"busy_loops", lcore.busy_loops},
                            {"busy_ns", lcore.busy_ns},
                            {"received_packets", lcore.rx_packets},
                            {"sent_packets", lcore.tx_packets},
                            {"passed_packets", lcore.passed_packets},
                            {"waiting_packets", lcore.waiting_packets},
                            {"buckets", lcore.buckets},
                            {"stalls", lcore.stalls},
                            {"stalled_ns", lcore.stalled_ns},
                            {"longest_stall_ns", lcore.longest_stall_ns},
                            {"lost_schedule_ns", lcore.lost_schedule_ns}};
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    counts.emplace_back("dropped_" + std::string(kDropReasonNames[i]), lcore.drops[i]);
  }
  add_latency("lateness", lcore.lateness, counts);
  return TelemetryAnswer(std::move(counts));
}

Result show_ports(const ServicesContext& context, const std::string& parameter) {
  const std::vector<PortStats> ports = context.engine.ports();
  if (parameter.empty()) {
    TelemetryNames names;
    for (const PortStats& port : ports) names.push_back(port.name);
    return TelemetryAnswer(std::move(names));
  }
  for (const PortStats& port : ports) {
    if (port.name != parameter) continue;
    TelemetryCounts counts = {{"device", port.device},
                              {"peer", port.peer},
                              {"link", std::string(port.gone      ? "gone"
                                                   : port.link_up ? "up"
                                                                  : "down")},
                              {"link_bps", port.link_bps},
                              {"mtu", std::uint64_t{port.mtu}},
                              {"link_changes", port.link_changes},
                              {"tx_retries", port.tx_retries}};
    const std::array<std::pair<const char*, std::uint64_t>, 8> kept = {
        {{"rx_packets", port.rx_packets},
         {"rx_bytes", port.rx_bytes},
         {"tx_packets", port.tx_packets},
         {"tx_bytes", port.tx_bytes},
         {"rx_missed", port.rx_missed},
         {"rx_errors", port.rx_errors},
         {"tx_errors", port.tx_errors},
         {"rx_no_mbuf", port.rx_no_mbuf}}};
    for (const auto& [name, value] : kept) {
      const auto& unknown = port.unknown_counters;
      if (std::find(unknown.begin(), unknown.end(), name) == unknown.end()) {
        counts.emplace_back(name, value);
      }
    }
    return TelemetryAnswer(std::move(counts));
  }
  return not_found("port", "port", parameter);
}

}  // namespace

absl::Status NodeTelemetry::start(const control::ServicesContext& context) {
  struct Command {
    const char* path;
    const char* help;
    Result (*answer)(const ServicesContext&, const std::string&);
  };
  constexpr std::array kCommands = {
      Command{"/drip/buckets",
              "Names of up to 100 configured buckets, in order. Parameter: the name after which "
              "they begin",
              list_buckets},
      Command{"/drip/bucket", "Counters of a bucket. Parameter: its name", show_bucket},
      Command{"/drip/lcores", "Polling threads, or the counters of one. Parameter: its number",
              show_lcores},
      Command{"/drip/ports", "Ports, or the counters of one. Parameter: its name", show_ports}};
  for (const Command& command : kCommands) {
    const absl::Status status =
        commands_.add(command.path, command.help,
                      [&context, answer = command.answer](const std::string& parameter) {
                        return answer(context, parameter);
                      });
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace drip::telemetry
