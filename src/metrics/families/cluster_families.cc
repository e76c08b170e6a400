// SPDX-License-Identifier: BSD-3-Clause
// Families of the cluster as this node sees it; none on a node that belongs to no cluster.
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

using control::ClusterMember;

constexpr FamilySpec kConnected{"drip_cluster_connected", kGauge, "boolean", "",
                                "Whether Redis answers this node."};
constexpr FamilySpec kLeader{"drip_cluster_leader", kGauge, "boolean", "",
                             "Whether this node leads."};
constexpr FamilySpec kHasLeader{"drip_cluster_has_leader", kGauge, "boolean", "",
                                "Whether this node knows of a leader."};
constexpr FamilySpec kEpoch{"drip_cluster_epoch", kGauge, "epochs", "",
                            "Number of the leadership; grows with each change of leader."};
constexpr FamilySpec kNodes{"drip_cluster_nodes", kGauge, "nodes", "state",
                            "Nodes of the cluster: up, draining, or unknown (silent)."};
constexpr FamilySpec kAge{"drip_cluster_knowledge_age_seconds", kGauge, "seconds", "",
                          "Age of what this node knows of the cluster."};
constexpr FamilySpec kRoundTrip{"drip_cluster_redis_round_trip_seconds", kGauge, "seconds", "",
                                "From the last heartbeat to the answer of Redis; absent while "
                                "Redis does not answer."};
constexpr FamilySpec kRevision{"drip_cluster_config_revision", kGauge, "revisions", "",
                               "Revision of the configuration that the cluster has."};
constexpr FamilySpec kApplied{"drip_cluster_config_applied_revision", kGauge, "revisions", "",
                              "Revision of it that this node applied."};
constexpr FamilySpec kClockSteps{"drip_cluster_redis_clock_steps_total", kCounter, "steps", "",
                                 "Steps of the clock of Redis that this node noticed."};

}  // namespace

void add_cluster(const control::ClusterStatus& status, const std::string& node_id,
                 Families& families) {
  if (!status.clustered) return;
  std::array<std::size_t, 3> nodes{};
  bool leads = false;
  bool has_leader = false;
  for (const ClusterMember& member : status.members) {
    ++nodes[static_cast<std::size_t>(member.state)];
    const bool leader = member.role == ClusterMember::Role::kLeader;
    has_leader = has_leader || leader;
    leads = leads || (leader && member.node_id == node_id);
  }
  add(families.begin(kConnected), status.connected ? 1 : 0);
  add(families.begin(kLeader), leads ? 1 : 0);
  add(families.begin(kHasLeader), has_leader ? 1 : 0);
  add(families.begin(kEpoch), number(status.epoch));
  MetricFamily& by_state = families.begin(kNodes);
  const auto of = [&](ClusterMember::State state) {
    return number(nodes[static_cast<std::size_t>(state)]);
  };
  add(by_state, {{"state", "up"}}, of(ClusterMember::State::kUp));
  add(by_state, {{"state", "draining"}}, of(ClusterMember::State::kDraining));
  add(by_state, {{"state", "unknown"}}, of(ClusterMember::State::kUnknown));
  add(families.begin(kAge), number(status.knowledge_age.count()) / 1e3);
  if (status.connected && status.redis_round_trip.count() > 0) {
    add(families.begin(kRoundTrip), seconds_of_ns(number(status.redis_round_trip.count())));
  }
  add(families.begin(kRevision), number(status.config_revision));
  MetricFamily& applied = families.begin(kApplied);
  for (const ClusterMember& member : status.members) {
    if (member.node_id == node_id) add(applied, number(member.config_revision));
  }
  add(families.begin(kClockSteps), number(status.redis_clock_steps));
}

std::span<const FamilySpec* const> cluster_specs() {
  static constexpr std::array kSpecs = {&kConnected, &kLeader,    &kHasLeader, &kEpoch,
                                        &kNodes,     &kAge,       &kRoundTrip, &kRevision,
                                        &kApplied,   &kClockSteps};
  return kSpecs;
}

}  // namespace drip::metrics
