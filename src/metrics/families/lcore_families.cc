// SPDX-License-Identifier: BSD-3-Clause
// Families of the polling threads.
#include <array>

#include "engine/drop_reason.h"
#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kInfo{"drip_lcore_info", kGauge, "", "lcore, cpu, numa_node, role",
                           "Where a polling thread runs, and its role; always 1."};
constexpr FamilySpec kDropped{"drip_lcore_dropped_packets_total", kCounter, "packets",
                              "lcore, reason",
                              "Packets lost inside Drip, by the reason of the loss."};
constexpr FamilySpec kDroppedBytes{"drip_lcore_dropped_bytes_total", kCounter, "bytes",
                                   "lcore, reason", "Bytes of the packets lost inside Drip."};
constexpr FamilySpec kBusy{
    "drip_lcore_busy_seconds_total", kCounter, "seconds", "lcore",
    "Time in loops that found something to do: its rate is the share of time that is in use."};
constexpr FamilySpec kStalled{
    "drip_lcore_stalled_seconds_total", kCounter, "seconds", "lcore",
    "Time by which loops began later than 10 us after the one before: another had the CPU."};
constexpr FamilySpec kLongestStall{"drip_lcore_longest_stall_seconds", kGauge, "seconds", "lcore",
                                   "The longest stall since the start."};
constexpr FamilySpec kLostSchedule{"drip_lcore_lost_schedule_seconds_total", kCounter, "seconds",
                                   "lcore",
                                   "Schedule time of buckets that was lost beyond max_catchup."};
constexpr FamilySpec kLateness{
    "drip_lcore_lateness_seconds", kHistogram, "seconds", "lcore",
    "Actual minus due departure over all buckets of the thread. The sum is exact."};

struct LcoreValue {
  FamilySpec spec;
  std::uint64_t LcoreStats::*value;
};
constexpr std::array kValues = {
    LcoreValue{{"drip_lcore_loops_total", kCounter, "loops", "lcore", "Loops of the thread."},
               &LcoreStats::loops},
    LcoreValue{{"drip_lcore_busy_loops_total", kCounter, "loops", "lcore",
                "Loops that found something to do. A share of loops, not of time."},
               &LcoreStats::busy_loops},
    LcoreValue{{"drip_lcore_jobs_total", kCounter, "jobs", "lcore", "Jobs done for control."},
               &LcoreStats::jobs},
    LcoreValue{{"drip_lcore_received_packets_total", kCounter, "packets", "lcore",
                "Packets that the thread received."},
               &LcoreStats::rx_packets},
    LcoreValue{
        {"drip_lcore_sent_packets_total", kCounter, "packets", "lcore", "Packets that it sent."},
        &LcoreStats::tx_packets},
    LcoreValue{{"drip_lcore_passed_packets_total", kCounter, "packets", "lcore",
                "Packets sent unshaped, control traffic included."},
               &LcoreStats::passed_packets},
    LcoreValue{{"drip_lcore_waiting_packets", kGauge, "packets", "lcore",
                "Packets in its buckets, hand-off rings and transmit bursts."},
               &LcoreStats::waiting_packets},
    LcoreValue{{"drip_lcore_stalls_total", kCounter, "stalls", "lcore",
                "Loops that began more than 10 us after the one before."},
               &LcoreStats::stalls},
    LcoreValue{{"drip_lcore_buckets", kGauge, "buckets", "lcore",
                "Buckets that the thread owns, those of flows included."},
               &LcoreStats::buckets},
    LcoreValue{{"drip_lcore_queue_packets", kGauge, "packets", "lcore",
                "Packets in queues that are more than a ring."},
               &LcoreStats::queue_packets},
    LcoreValue{{"drip_lcore_queue_flows", kGauge, "flows", "lcore",
                "Flows of such queues with packets, their turn, or AQM state."},
               &LcoreStats::queue_flows},
    LcoreValue{{"drip_lcore_queue_flows_limit", kGauge, "flows", "lcore",
                "As many flows as there can be."},
               &LcoreStats::queue_flows_limit},
};

const char* role_name(LcoreStats::Role role) {
  switch (role) {
    case LcoreStats::Role::kFused:
      return "fused";
    case LcoreStats::Role::kWorker:
      return "worker";
    case LcoreStats::Role::kTransmitter:
      return "transmitter";
  }
  return "";
}

}  // namespace

void add_lcores(std::span<const LcoreStats> lcores, std::span<const HistogramCounts> lateness,
                Families& families) {
  MetricFamily& info = families.begin(kInfo);
  for (std::size_t i = 0; i < lcores.size(); ++i) {
    add(info,
        {{"lcore", std::to_string(i)},
         {"cpu", std::to_string(lcores[i].cpu)},
         {"numa_node", std::to_string(lcores[i].numa_node)},
         {"role", role_name(lcores[i].role)}},
        1);
  }
  for (const LcoreValue& value : kValues) {
    MetricFamily& family = families.begin(value.spec);
    for (std::size_t i = 0; i < lcores.size(); ++i) {
      add(family, {{"lcore", std::to_string(i)}}, number(lcores[i].*value.value));
    }
  }
  MetricFamily& dropped = families.begin(kDropped);
  MetricFamily& dropped_bytes = families.begin(kDroppedBytes);
  MetricFamily& busy = families.begin(kBusy);
  MetricFamily& stalled = families.begin(kStalled);
  MetricFamily& longest = families.begin(kLongestStall);
  MetricFamily& lost = families.begin(kLostSchedule);
  MetricFamily& late = families.begin(kLateness);
  for (std::size_t i = 0; i < lcores.size(); ++i) {
    const LcoreStats& lcore = lcores[i];
    const ClientMetric::Label label{"lcore", std::to_string(i)};
    for (std::size_t reason = 0; reason < kDropReasons; ++reason) {
      const ClientMetric::Label why{"reason", std::string(kDropReasonNames[reason])};
      add(dropped, {label, why}, number(lcore.drops[reason]));
      add(dropped_bytes, {label, why}, number(lcore.dropped_bytes[reason]));
    }
    add(busy, {label}, seconds_of_ns(number(lcore.busy_ns)));
    add(stalled, {label}, seconds_of_ns(number(lcore.stalled_ns)));
    add(longest, {label}, seconds_of_ns(number(lcore.longest_stall_ns)));
    add(lost, {label}, seconds_of_ns(number(lcore.lost_schedule_ns)));
    add_latency(late, {label}, lateness[i], kFineBounds);
  }
}

std::span<const FamilySpec* const> lcore_specs() {
  static const auto all = [] {
    std::vector<const FamilySpec*> specs = {&kInfo};
    for (const LcoreValue& value : kValues) specs.push_back(&value.spec);
    specs.insert(specs.end(), {&kDropped, &kDroppedBytes, &kBusy, &kStalled, &kLongestStall,
                               &kLostSchedule, &kLateness});
    return specs;
  }();
  return all;
}

}  // namespace drip::metrics
