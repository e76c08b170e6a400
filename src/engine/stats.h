// SPDX-License-Identifier: BSD-3-Clause
// Statistics of buckets, flows, ports, polling threads, memory and clock, as control reads them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "drip/bucket_counters.h"
#include "drip/histogram.h"
#include "drip/queue/bucket_queue.h"
#include "drip/time.h"
#include "drip/tree/tree_node.h"
#include "drip/virtual_schedule.h"
#include "engine/drop_reason.h"
#include "engine/lease.h"

namespace drip {

/// The part of a spread root on one transmitter.
struct CoreShare {
  std::uint32_t transmitter = 0;
  LeasedRates rates;  ///< That it holds at present.
  std::uint64_t departed = 0;
  std::uint64_t departed_bytes = 0;
  NodeState node_state = NodeState::kIdle;
};

/// Counters and rates of one bucket, read while its transmitter runs.
struct BucketStats : BucketCounters {
  ServicePeriods periods;
  std::uint32_t ring_slots = 0;
  bool paused = false;  ///< Its rate is leased, and no lease lets it leak at present.
  std::optional<NodeState> node_state;  ///< Of a node of a tree.
  std::optional<QueueCounters> queue;   ///< Of one that has, or had, more than its ring.
  std::vector<CoreShare> core_shares;   ///< Of a spread root, by transmitter.
};

/// What comes to a bucket and waits in it, at one moment; `units` and `bytes` count arrivals,
/// admitted or not.
struct ArrivalCounts {
  std::uint64_t units = 0;
  std::uint64_t bytes = 0;
  std::uint64_t backlog = 0;
  std::uint64_t backlog_bytes = 0;
  /// Of an inner node: whether something waits below it. How much is not counted there: `units` and
  /// `bytes` are then what departed, and both backlogs are 0.
  bool waits = false;
};

/// One flow of a per-flow rule.
struct FlowStats {
  std::string flow;  ///< The text of its FlowKey.
  std::uint32_t transmitter = 0;
  BucketStats bucket;
};

struct FlowRuleStats {
  std::uint64_t flows = 0;  ///< At present.
  std::uint64_t created = 0;
  std::uint64_t refused = 0;  ///< Packets of flows for which there was no room.
  TimePoint last_refused;     ///< When the last of them came.
};

struct PortStats {
  std::string name, device, driver, mac_address, peer;
  std::uint32_t mtu = 0;
  bool link_up = false;
  bool gone = false;           ///< Its kernel interface does not exist any more; then not link_up.
  std::uint64_t link_bps = 0;  ///< 0: unknown.
  std::int32_t numa_node = -1;
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  std::uint64_t rx_missed = 0, rx_errors = 0, tx_errors = 0, rx_no_mbuf = 0;
  std::uint64_t tx_retries = 0;  ///< Bursts that the port did not take whole.
  std::uint64_t link_changes = 0;
  std::uint32_t rx_queues = 0;
  /// Those of the counters above, by their names in the API, that neither driver nor kernel keeps:
  /// 0 does not mean that nothing happened.
  std::vector<std::string> unknown_counters;
  /// What the operator should put right, as it stands now: sentences.
  std::vector<std::string> warnings;
};

/// One polling thread.
struct LcoreStats {
  enum class Role : std::uint8_t { kFused, kWorker, kTransmitter };
  Role role = Role::kFused;
  std::int32_t cpu = -1;  ///< -1: not pinned.
  std::int32_t numa_node = -1;
  bool sleeps_when_idle = false;
  std::uint64_t loops = 0, busy_loops = 0;
  std::uint64_t busy_ns = 0;     ///< In loops that found something to do.
  std::uint64_t running_ns = 0;  ///< Since the thread was started.
  std::uint64_t jobs = 0;        ///< From control.
  std::uint64_t rx_packets = 0, tx_packets = 0;
  std::uint64_t passed_packets = 0;   ///< Sent unshaped.
  std::uint64_t waiting_packets = 0;  ///< In buckets, hand-off rings and transmit bursts.
  std::array<std::uint64_t, kDropReasons> drops{};
  std::array<std::uint64_t, kDropReasons> dropped_bytes{};
  std::uint64_t stalls = 0, stalled_ns = 0, longest_stall_ns = 0;
  HistogramCounts lateness;
  std::uint64_t lost_schedule_ns = 0;
  std::uint64_t buckets = 0;
  std::optional<std::uint32_t> transmitter;  ///< Its number, if it is one.
  // The pools of its buckets' queues; all 0 before the first such bucket.
  std::uint64_t queue_packets = 0;      ///< In use.
  std::uint64_t queue_flows = 0;        ///< With packets, their turn, or AQM state.
  std::uint64_t queue_flows_limit = 0;  ///< As many as there can be.
};

struct MemoryStats {
  std::uint64_t budget_bytes = 0;    ///< Ring memory of all transmitters.
  std::uint64_t reserved_bytes = 0;  ///< Of it, reserved for buckets and flows.
  std::uint64_t mbufs = 0;
  std::uint64_t mbufs_reserved = 0;  ///< For packets in buckets.
  std::uint64_t mbufs_free = 0;
  bool hugepages = false;
};

struct ClockStats {
  double tsc_hz = 0;
  double drift_ppm = 0;  ///< Of the measured rate from that of the first calibration.
  Duration offset;       ///< From CLOCK_MONOTONIC_RAW; positive: ahead. Jumps are not part of it.
  bool invariant_tsc = true;
  // How often the TSC and CLOCK_MONOTONIC_RAW have parted since the start, and the last time.
  std::uint64_t jumps = 0;
  std::uint64_t rate_changes = 0;
  Duration last_jump;  ///< Positive: of CLOCK_MONOTONIC_RAW forward, or of the TSC back.
  double last_rate_change_ppm = 0;
  TimePoint last_parting;  ///< By Drip's time; of no meaning before the first.
};

}  // namespace drip
