// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/collector.h"

#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "control/traffic/traffic_monitor.h"

namespace drip::metrics {

std::vector<MetricFamily> Collector::collect() {
  Families families;
  MutexLock lock(mutex_);
  selection_.select();
  add_buckets(selection_.chosen(), families);
  if (context_.traffic != nullptr) collect_traffic(families);
  add_ports(context_.engine.ports(), families);
  collect_lcores(families);
  add_memory(context_.engine.memory(), families);
  add_clock(context_.engine.clock(), families);
  if (const auto status = context_.cluster.status(); status.ok()) {
    add_cluster(*status, context_.facts.node_id, families);
  }
  if (calls_ != nullptr) add_calls(calls_->read(), families);
  add_node(node_counts(), families);
  if (context_.control_process != nullptr) add_control_process(*context_.control_process, families);
  if (context_.state != nullptr) {
    const state::StateStats state = context_.state->stats();
    add_state({state.failing, state.commits, state.failures,
               static_cast<std::uint64_t>(state.commit_time.count()), state.written_bytes,
               state.journal_bytes, state.snapshots},
              families);
  }
  add_process(families);
  return families.take();
}

void Collector::collect_traffic(Families& families) const {
  std::vector<std::optional<BucketTraffic>> traffic;
  for (const ChosenBucket& bucket : selection_.chosen()) {
    std::optional<BucketTraffic>& counts = traffic.emplace_back();
    const auto reading = context_.traffic->read(bucket.state->id);
    if (!reading) continue;
    counts.emplace();
    counts->to_destination = reading->to(traffic::Side::kDestination).all;
    counts->to_source = reading->to(traffic::Side::kSource).all;
    counts->segments = reading->segments;
    counts->retransmitted_segments = reading->retransmitted_segments;
  }
  const control::TrafficTotals totals = context_.traffic->totals();
  add_traffic(selection_.chosen(), traffic, {totals.samples, totals.lost}, families);
}

void Collector::collect_lcores(Families& families) {
  const std::vector<LcoreStats> lcores = context_.engine.lcores();
  lcore_lateness_.resize(lcores.size());
  std::vector<HistogramCounts> lateness;
  for (std::size_t i = 0; i < lcores.size(); ++i) {
    // An lcore lives as long as the engine, so its histogram never begins anew.
    constexpr std::uint64_t kAnyNumber = std::numeric_limits<std::uint64_t>::max() / 2;
    lateness.push_back(lcore_lateness_[i].update(lcores[i].lateness, kAnyNumber));
  }
  add_lcores(lcores, lateness, families);
}

NodeCounts Collector::node_counts() {
  NodeCounts counts;
  counts.node_id = context_.facts.node_id;
  counts.version = context_.facts.version;
  counts.dpdk_version = context_.facts.dpdk_version;
  counts.buckets = context_.buckets.size();
  counts.left_out = selection_.left_out();
  context_.configuration.with_rules([&](const control::RuleStore& rules) {
    counts.rules = rules.rules().rules.size();
    for (const std::optional<control::FlowRule>& flow_rule : rules.flow_rules()) {
      if (flow_rule) counts.flows += context_.engine.read_flow_rule(flow_rule->number).flows;
    }
    counts.protected_packets = rules.protected_hits().packets;
    const auto unmatched = [&](const char* name, PacketKind kind) {
      counts.unmatched_packets.emplace_back(name, rules.default_hits(kind).packets);
    };
    unmatched("mpls", PacketKind::kMpls);
    unmatched("pppoe", PacketKind::kPppoe);
    unmatched("non_ip", PacketKind::kNonIp);
    unmatched("fragments", PacketKind::kFragment);
    unmatched("tunnels", PacketKind::kTunnel);
    unmatched("other", PacketKind::kOther);
  });
  return counts;
}

}  // namespace drip::metrics
