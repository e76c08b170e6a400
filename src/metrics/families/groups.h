// SPDX-License-Identifier: BSD-3-Clause
// The groups of families: each reads one part of the node as it is now and adds its series.
//
// No group counts anything of its own: a value is a copy of what the API shows. Any thread may call
// them, but never a polling one.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/model/bucket_state.h"
#include "control/model/call_stats.h"
#include "control/model/cluster_view.h"
#include "control/model/control_process.h"
#include "engine/stats.h"
#include "metrics/families/family.h"
#include "metrics/families/latency_family.h"

namespace drip::metrics {

/// What samples of its packets tell of a bucket.
struct BucketTraffic {
  HistogramCounts to_destination, to_source;
  std::uint64_t segments = 0;
  std::uint64_t retransmitted_segments = 0;
};

/// A bucket that was chosen for this scrape.
struct ChosenBucket {
  const control::BucketState* state;
  const HistogramCounts* sojourn;
  const HistogramCounts* lateness;
};
void add_buckets(std::span<const ChosenBucket> buckets, Families& families);

/// Of a node that samples packets. `traffic`: of each of these buckets; none where no packet was
/// sampled.
struct SampleCounts {
  std::uint64_t samples = 0;
  std::uint64_t lost = 0;
};
void add_traffic(std::span<const ChosenBucket> buckets,
                 std::span<const std::optional<BucketTraffic>> traffic, const SampleCounts& counts,
                 Families& families);

void add_ports(std::span<const PortStats> ports, Families& families);

/// `lateness`: of each lcore, in the same order.
void add_lcores(std::span<const LcoreStats> lcores, std::span<const HistogramCounts> lateness,
                Families& families);

void add_memory(const MemoryStats& memory, Families& families);
void add_clock(const ClockStats& clock, Families& families);

/// Nothing for a node that belongs to no cluster.
void add_cluster(const control::ClusterStatus& status, const std::string& node_id,
                 Families& families);

void add_calls(std::span<const control::CallStats> calls, Families& families);

/// What the node has as a whole.
struct NodeCounts {
  std::string node_id, version, dpdk_version;
  std::size_t buckets = 0;
  std::size_t rules = 0;
  std::size_t flows = 0;
  std::size_t left_out = 0;  ///< Buckets without series of their own.
  std::uint64_t protected_packets = 0;
  /// Packets that no rule took, by kind.
  std::vector<std::pair<const char*, std::uint64_t>> unmatched_packets;
};
void add_node(const NodeCounts& counts, Families& families);
/// Of a node whose control is a process of its own.
void add_control_process(const control::ControlProcessCounts& counts, Families& families);

/// Of the state directory, for a node that has one.
struct StateCounts {
  bool failing = false;
  std::uint64_t commits = 0;
  std::uint64_t failures = 0;
  std::uint64_t commit_ns = 0;
  std::uint64_t written_bytes = 0;
  std::uint64_t journal_bytes = 0;
  std::uint64_t snapshots = 0;
};
void add_state(const StateCounts& state, Families& families);

/// This process, under the names that all Prometheus clients use.
void add_process(Families& families);

/// The specs of each group, in the order of the functions above.
struct FamilyGroup {
  const char* title;
  std::span<const FamilySpec* const> specs;
};
[[nodiscard]] std::span<const FamilyGroup> all_groups();

// Of each group's own file.
[[nodiscard]] std::span<const FamilySpec* const> bucket_specs();
[[nodiscard]] std::span<const FamilySpec* const> traffic_specs();
[[nodiscard]] std::span<const FamilySpec* const> port_specs();
[[nodiscard]] std::span<const FamilySpec* const> lcore_specs();
[[nodiscard]] std::span<const FamilySpec* const> memory_specs();
[[nodiscard]] std::span<const FamilySpec* const> clock_specs();
[[nodiscard]] std::span<const FamilySpec* const> cluster_specs();
[[nodiscard]] std::span<const FamilySpec* const> call_specs();
[[nodiscard]] std::span<const FamilySpec* const> node_specs();
[[nodiscard]] std::span<const FamilySpec* const> state_specs();
[[nodiscard]] std::span<const FamilySpec* const> process_specs();

}  // namespace drip::metrics
