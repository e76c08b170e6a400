// SPDX-License-Identifier: BSD-3-Clause
#include "web/node_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "control/model/epoch_clock.h"
#include "engine/drop_reason.h"

namespace drip::web {
namespace {

using control::ClusterMember;
using control::ClusterStatus;
using nlohmann::ordered_json;

// Rates from one reading to the next.
class Rates {
 public:
  explicit Rates(const Record& record)
      : seconds_(record.buckets.steps < 2
                     ? 0
                     : static_cast<double>((record.now.time - record.before.time).ns) / 1e9) {}
  [[nodiscard]] double of(std::uint64_t now, std::uint64_t before) const {
    if (seconds_ <= 0 || now < before) return 0;
    return std::round(static_cast<double>(now - before) / seconds_ * 1000) / 1000;
  }

 private:
  const double seconds_;
};

ordered_json ports_json(const Record& record) {
  const Rates rates(record);
  ordered_json list = ordered_json::array();
  for (const PortStats& port : record.now.ports) {
    const auto found = std::ranges::find(record.before.ports, port.name, &PortStats::name);
    const PortStats& before = found != record.before.ports.end() ? *found : port;
    list.push_back({{"name", port.name},
                    {"device", port.device},
                    {"driver", port.driver},
                    {"peer", port.peer},
                    {"link", port.gone      ? "gone"
                             : port.link_up ? "up"
                                            : "down"},
                    {"link_bps", port.link_bps},
                    {"mtu", port.mtu},
                    {"rx_bps", 8 * rates.of(port.rx_bytes, before.rx_bytes)},
                    {"rx_pps", rates.of(port.rx_packets, before.rx_packets)},
                    {"tx_bps", 8 * rates.of(port.tx_bytes, before.tx_bytes)},
                    {"tx_pps", rates.of(port.tx_packets, before.tx_packets)},
                    {"rx_packets", port.rx_packets},
                    {"tx_packets", port.tx_packets},
                    {"rx_missed", port.rx_missed},
                    {"rx_errors", port.rx_errors},
                    {"tx_errors", port.tx_errors},
                    {"rx_no_mbuf", port.rx_no_mbuf},
                    {"link_changes", port.link_changes},
                    {"unknown", port.unknown_counters}});
  }
  return list;
}

const char* role_name(LcoreStats::Role role) {
  constexpr std::array kNames = {"fused", "worker", "transmitter"};
  return kNames[static_cast<std::size_t>(role)];
}

ordered_json lcores_json(const Record& record) {
  const Rates rates(record);
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < record.now.lcores.size(); ++i) {
    const LcoreStats& lcore = record.now.lcores[i];
    const LcoreStats& before = i < record.before.lcores.size() ? record.before.lcores[i] : lcore;
    ordered_json drops = ordered_json::object();
    for (std::size_t reason = 0; reason < kDropReasons; ++reason) {
      if (lcore.drops[reason] > 0) {
        drops[std::string(kDropReasonNames[reason])] = lcore.drops[reason];
      }
    }
    list.push_back({{"index", i},
                    {"cpu", lcore.cpu},
                    {"role", role_name(lcore.role)},
                    {"rx_pps", rates.of(lcore.rx_packets, before.rx_packets)},
                    {"tx_pps", rates.of(lcore.tx_packets, before.tx_packets)},
                    {"passed_pps", rates.of(lcore.passed_packets, before.passed_packets)},
                    {"waiting", lcore.waiting_packets},
                    {"buckets", lcore.buckets},
                    {"stalls", lcore.stalls},
                    {"longest_stall_ns", lcore.longest_stall_ns},
                    {"lateness_p99_ns", lcore.lateness.quantile_ns(0.99)},
                    {"drops", std::move(drops)}});
  }
  return list;
}

ordered_json memory_json(const MemoryStats& memory) {
  ordered_json json = {{"ring_bytes", memory.budget_bytes},
                       {"ring_reserved_bytes", memory.reserved_bytes}};
  if (memory.mbufs > 0) {
    json["mbufs"] = memory.mbufs;
    json["mbufs_reserved"] = memory.mbufs_reserved;
    json["mbufs_free"] = memory.mbufs_free;
    json["hugepages"] = memory.hugepages;
  }
  return json;
}

ordered_json cluster_json(const ClusterStatus& status, const std::string& node_id) {
  constexpr std::array kStates = {"up", "draining", "unknown"};
  ordered_json members = ordered_json::array();
  for (const ClusterMember& member : status.members) {
    members.push_back({{"node", member.node_id},
                       {"address", member.address},
                       {"leads", member.role == ClusterMember::Role::kLeader},
                       {"self", member.node_id == node_id},
                       {"state", kStates[static_cast<std::size_t>(member.state)]},
                       {"last_seen_ms", member.last_seen_epoch_ms},
                       {"version", member.version},
                       {"buckets", member.totals.buckets},
                       {"config_revision", member.config_revision},
                       {"config_error", member.config_error}});
  }
  return {{"connected", status.connected},
          {"epoch", status.epoch},
          {"knowledge_age_ms", status.knowledge_age.count()},
          {"redis_round_trip_ns", status.redis_round_trip.count()},
          {"cut_off_reason", status.cut_off_reason},
          {"config_revision", status.config_revision},
          {"members", std::move(members)}};
}

}  // namespace

ordered_json node_json(const control::ServicesContext& context, const Record& record) {
  const control::EpochClock clock(context.engine);
  const std::int64_t now = clock.epoch_ms(clock.now());
  std::vector<std::string> warnings = record.now.warnings;
  ordered_json cluster = nullptr;  // Of a node that is in none.
  if (const auto status = context.cluster.status(); status.ok() && status->clustered) {
    warnings.insert(warnings.end(), status->warnings.begin(), status->warnings.end());
    if (!status->connected) {
      warnings.push_back("the node cannot reach Redis: " + status->cut_off_reason);
    }
    cluster = cluster_json(*status, context.facts.node_id);
  }
  for (const PortStats& port : record.now.ports) {
    if (!port.link_up) {
      warnings.push_back("port " + port.name + (port.gone ? " is gone" : " has no link"));
    }
  }
  const auto& lost = record.buckets.all_now.lost_per_second;
  const ClockStats time = context.engine.clock();
  const std::uint64_t flows = std::accumulate(
      record.now.flow_rules.begin(), record.now.flow_rules.end(), std::uint64_t{0},
      [](std::uint64_t sum, const FlowRuleReading& rule) { return sum + rule.stats.flows; });
  return {{"node", context.facts.node_id},
          {"version", context.facts.version},
          {"dpdk_version", context.facts.dpdk_version},
          {"start_ms", context.facts.start_epoch_ms},
          {"now_ms", now},
          {"step", record.buckets.steps},
          {"step_ms", record.buckets.steps == 0
                          ? ordered_json()
                          : ordered_json(record.buckets.epoch_ms(record.buckets.steps - 1))},
          {"step_cpu_us", record.last_step_cpu_ns / 1000},
          {"warnings", std::move(warnings)},
          {"buckets", record.buckets.table.rows().size()},
          {"histories", record.buckets.histories},
          {"history_bytes", record.buckets.history_bytes},
          {"rules", record.now.rules},
          {"flows", flows},
          {"bps", std::round(record.buckets.all_now.bits_per_second)},
          {"pps", std::round(record.buckets.all_now.units_per_second * 1000) / 1000},
          {"backlog", record.buckets.all_now.backlog},
          {"lost_per_second", std::accumulate(lost.begin(), lost.end(), 0.0)},
          {"ports", ports_json(record)},
          {"lcores", lcores_json(record)},
          {"memory", memory_json(context.engine.memory())},
          {"clock",
           {{"tsc_hz", time.tsc_hz},
            {"drift_ppm", time.drift_ppm},
            {"offset_ns", time.offset.ns},
            {"jumps", time.jumps}}},
          {"cluster", std::move(cluster)}};
}

}  // namespace drip::web
