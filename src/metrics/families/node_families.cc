// SPDX-License-Identifier: BSD-3-Clause
// Families of the node as a whole.
#include <algorithm>
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kBuild{"drip_build_info", kGauge, "", "version, dpdk_version",
                            "Versions of dripd and DPDK; always 1."};
constexpr FamilySpec kInfo{"drip_node_info", kGauge, "", "node_id", "Name of the node; always 1."};
constexpr FamilySpec kBuckets{"drip_buckets", kGauge, "buckets", "",
                              "Configured buckets, those of flows not included."};
constexpr FamilySpec kFlows{"drip_flows", kGauge, "flows", "",
                            "Buckets that per-flow rules have made."};
constexpr FamilySpec kRules{"drip_rules", kGauge, "rules", "", "Rules."};
constexpr FamilySpec kLeftOut{
    "drip_metrics_buckets_left_out", kGauge, "buckets", "",
    "Configured buckets that --metrics-buckets leaves without series of their own."};
constexpr FamilySpec kProtected{"drip_protected_packets_total", kCounter, "packets", "",
                                "Control traffic, which passes the rules."};
constexpr FamilySpec kUnmatched{"drip_unmatched_packets_total", kCounter, "packets", "kind",
                                "Packets that no rule took, by kind."};
constexpr FamilySpec kControlUp{"drip_control_process_up", kGauge, "", "",
                                "1 while the control process of --control-process runs."};
constexpr FamilySpec kControlRestarts{
    "drip_control_process_restarts_total", kCounter, "restarts", "reason",
    "Times it was started again, by reason: ended, or did not answer (hung)."};

}  // namespace

void add_node(const NodeCounts& counts, Families& families) {
  add(families.begin(kBuild), {{"version", counts.version}, {"dpdk_version", counts.dpdk_version}},
      1);
  add(families.begin(kInfo), {{"node_id", counts.node_id}}, 1);
  add(families.begin(kBuckets), number(counts.buckets));
  add(families.begin(kFlows), number(counts.flows));
  add(families.begin(kRules), number(counts.rules));
  add(families.begin(kLeftOut), number(counts.left_out));
  add(families.begin(kProtected), number(counts.protected_packets));
  MetricFamily& unmatched = families.begin(kUnmatched);
  for (const auto& [kind, packets] : counts.unmatched_packets) {
    add(unmatched, {{"kind", kind}}, number(packets));
  }
}

void add_control_process(const control::ControlProcessCounts& counts, Families& families) {
  add(families.begin(kControlUp), counts.pid == 0 ? 0 : 1);
  // Read first: each of them is one of the others as well.
  const std::uint64_t hangs = counts.hangs;
  const std::uint64_t restarts = std::max<std::uint64_t>(counts.restarts, hangs);
  MetricFamily& family = families.begin(kControlRestarts);
  add(family, {{"reason", "ended"}}, number(restarts - hangs));
  add(family, {{"reason", "hung"}}, number(hangs));
}

std::span<const FamilySpec* const> node_specs() {
  static constexpr std::array kSpecs = {&kBuild,     &kInfo,           &kBuckets,   &kFlows,
                                        &kRules,     &kLeftOut,        &kProtected, &kUnmatched,
                                        &kControlUp, &kControlRestarts};
  return kSpecs;
}

}  // namespace drip::metrics
