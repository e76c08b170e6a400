// SPDX-License-Identifier: BSD-3-Clause
// Writes the messages field by field.
#include "control/convert/convert_stats.h"

#include "control/convert/convert_bucket.h"
#include "engine/drop_reason.h"

namespace drip::control {
namespace {

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

v1::NodeState node_state(ClusterMember::State state) {
  switch (state) {
    case ClusterMember::State::kUp:
      return v1::NODE_STATE_UP;
    case ClusterMember::State::kDraining:
      return v1::NODE_STATE_DRAINING;
    case ClusterMember::State::kUnknown:
      return v1::NODE_STATE_UNKNOWN;
  }
  return v1::NODE_STATE_UNSPECIFIED;
}

}  // namespace

void write_port(const PortStats& stats, v1::Port& port) {
  port.set_name(stats.name);
  port.set_device(stats.device);
  port.set_driver(stats.driver);
  port.set_mac_address(stats.mac_address);
  port.set_mtu(stats.mtu);
  port.set_link_up(stats.link_up);
  port.set_link_bps(stats.link_bps);
  port.set_numa_node(stats.numa_node);
  port.set_peer(stats.peer);
  port.set_rx_packets(stats.rx_packets);
  port.set_rx_bytes(stats.rx_bytes);
  port.set_tx_packets(stats.tx_packets);
  port.set_tx_bytes(stats.tx_bytes);
  port.set_rx_missed(stats.rx_missed);
  port.set_rx_errors(stats.rx_errors);
  port.set_tx_errors(stats.tx_errors);
  port.set_rx_no_mbuf(stats.rx_no_mbuf);
  port.set_tx_retries(stats.tx_retries);
  port.set_link_changes(stats.link_changes);
  port.set_rx_queues(stats.rx_queues);
  port.set_link_state(stats.gone ? "gone" : stats.link_up ? "up" : "down");
  for (const std::string& name : stats.unknown_counters) port.add_unknown_counters(name);
}

void write_lcore(std::uint32_t index, const LcoreStats& stats, v1::Lcore& lcore) {
  lcore.set_index(index);
  lcore.set_cpu(stats.cpu);
  lcore.set_numa_node(stats.numa_node);
  lcore.set_role(role_name(stats.role));
  lcore.set_sleeps_when_idle(stats.sleeps_when_idle);
  lcore.set_loops(stats.loops);
  lcore.set_busy_loops(stats.busy_loops);
  lcore.set_busy_ns(stats.busy_ns);
  lcore.set_running_ns(stats.running_ns);
  lcore.set_rx_packets(stats.rx_packets);
  lcore.set_tx_packets(stats.tx_packets);
  lcore.set_passed_packets(stats.passed_packets);
  lcore.set_waiting_packets(stats.waiting_packets);
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    if (stats.drops[i] == 0) continue;
    v1::DropCount& drop = *lcore.add_drops();
    drop.set_reason(std::string(kDropReasonNames[i]));
    drop.set_packets(stats.drops[i]);
    drop.set_bytes(stats.dropped_bytes[i]);
  }
  lcore.set_commands(stats.jobs);
  lcore.set_stalls(stats.stalls);
  lcore.set_stalled_ns(stats.stalled_ns);
  lcore.set_longest_stall_ns(stats.longest_stall_ns);
  write_histogram(stats.lateness, *lcore.mutable_lateness());
  lcore.set_forfeited_ns(stats.lost_schedule_ns);
  lcore.set_buckets(stats.buckets);
  lcore.set_queue_packets(stats.queue_packets);
  lcore.set_queue_flows(stats.queue_flows);
  lcore.set_queue_flows_limit(stats.queue_flows_limit);
  if (stats.transmitter) lcore.set_transmitter(*stats.transmitter);
}

void write_memory(const MemoryStats& stats, v1::Memory& memory) {
  memory.set_budget_bytes(stats.budget_bytes);
  memory.set_promised_bytes(stats.reserved_bytes);
  memory.set_mbufs(stats.mbufs);
  memory.set_mbufs_promised(stats.mbufs_reserved);
  memory.set_mbufs_free(stats.mbufs_free);
  memory.set_hugepages(stats.hugepages);
}

void write_clock(const ClockStats& stats, const EpochClock& epoch, v1::Clock& clock) {
  clock.set_tsc_hz(stats.tsc_hz);
  clock.set_drift_ppm(stats.drift_ppm);
  clock.set_offset_ns(stats.offset.ns);
  clock.set_invariant_tsc(stats.invariant_tsc);
  clock.set_jumps(stats.jumps);
  clock.set_last_jump_ns(stats.last_jump.ns);
  clock.set_rate_changes(stats.rate_changes);
  clock.set_last_rate_change_ppm(stats.last_rate_change_ppm);
  if (stats.jumps + stats.rate_changes > 0)
    clock.set_last_parting_time(epoch.epoch_ms(stats.last_parting));
}

void write_leader(const ClusterLeader& leader, v1::GetLeaderResponse& response) {
  response.set_node_id(leader.node_id);
  response.set_address(leader.address);
  response.set_epoch(leader.epoch);
  response.set_is_self(leader.is_self);
  response.set_knowledge_age_ms(leader.knowledge_age.count());
}

void write_shares(const BucketShares& shares, v1::BucketShares& message) {
  message.set_bucket_id(shares.bucket_id);
  for (const NodeShare& share : shares.nodes) {
    v1::NodeShare& node = *message.add_nodes();
    node.set_node_id(share.node_id);
    node.set_share(share.share);
    node.set_safe_share(share.safe_share);
    node.set_demand(share.demand);
  }
}

void write_cluster(const ClusterStatus& status, v1::GetClusterStatusResponse& response) {
  response.set_clustered(status.clustered);
  response.set_epoch(status.epoch);
  response.set_connected(status.connected);
  response.set_knowledge_age_ms(status.knowledge_age.count());
  response.set_cut_off_reason(status.cut_off_reason);
  for (const std::string& warning : status.warnings) response.add_warnings(warning);
  response.set_redis_clock_steps(status.redis_clock_steps);
  response.set_redis_clock_last_step_ns(status.redis_clock_last_step.ns);
  response.set_config_revision(status.config_revision);
  for (const ClusterMember& member : status.members) {
    v1::ClusterNode& node = *response.add_nodes();
    node.set_node_id(member.node_id);
    node.set_address(member.address);
    node.set_role(member.role == ClusterMember::Role::kLeader ? v1::NODE_ROLE_LEADER
                                                              : v1::NODE_ROLE_FOLLOWER);
    node.set_state(node_state(member.state));
    node.set_last_seen_time(member.last_seen_epoch_ms);
    node.set_version(member.version);
    node.set_buckets(member.totals.buckets);
    node.set_total_requests(member.totals.allowed_requests + member.totals.rejected_requests);
    node.set_allowed_requests(member.totals.allowed_requests);
    node.set_rejected_requests(member.totals.rejected_requests);
    node.set_processed_requests(member.totals.processed_requests);
    node.set_config_revision(member.config_revision);
    node.set_config_error(member.config_error);
  }
}

}  // namespace drip::control
