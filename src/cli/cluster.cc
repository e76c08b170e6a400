// SPDX-License-Identifier: BSD-3-Clause
// The noun `cluster`: leader, status.
#include <fmt/format.h>

#include <string>

#include "nouns.h"
#include "output.h"

namespace drip::cli {
namespace {

std::string role_in_words(v1::NodeRole role) {
  switch (role) {
    case v1::NODE_ROLE_LEADER:
      return "leader";
    case v1::NODE_ROLE_FOLLOWER:
      return "follower";
    default:
      return "-";
  }
}

std::string state_in_words(v1::NodeState state) {
  switch (state) {
    case v1::NODE_STATE_UP:
      return "up";
    case v1::NODE_STATE_DRAINING:
      return "draining";
    default:
      return "unknown";
  }
}

std::string status_in_words(const v1::GetClusterStatusResponse& reply) {
  if (!reply.clustered()) return "a single node, not clustered";
  if (reply.connected()) {
    return fmt::format("clustered, epoch {}, configuration revision {}", reply.epoch(),
                       reply.config_revision());
  }
  return fmt::format("CUT OFF from the cluster; what follows is {:.1f} s old: {}",
                     static_cast<double>(reply.knowledge_age_ms()) / 1e3,
                     or_dash(reply.cut_off_reason()));
}

Exit leader(Session& session) {
  const v1::GetLeaderResponse reply = session.connection.call(&RateLimiter::GetLeader, {});
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("{} at {}, epoch {}{}", reply.node_id(), or_dash(reply.address()),
                           reply.epoch(), reply.is_self() ? " (the node asked)" : ""));
  }
  return Exit::kOk;
}

Exit status(Session& session) {
  const v1::GetClusterStatusResponse reply =
      session.connection.call(&RateLimiter::GetClusterStatus, {});
  if (session.json) {
    print(reply);
    return Exit::kOk;
  }
  print_line(status_in_words(reply));
  Table table({{"NODE", Table::Align::kLeft},
               {"ADDRESS", Table::Align::kLeft},
               {"ROLE", Table::Align::kLeft},
               {"STATE", Table::Align::kLeft},
               {"VERSION", Table::Align::kLeft},
               {"REVISION"},
               {"BUCKETS"},
               {"ALLOWED"},
               {"REJECTED"},
               {"PROCESSED"},
               {"LAST SEEN", Table::Align::kLeft}});
  for (const v1::ClusterNode& node : reply.nodes()) {
    table.add({node.node_id(), or_dash(node.address()), role_in_words(node.role()),
               state_in_words(node.state()), or_dash(node.version()),
               fmt::format("{}", node.config_revision()), fmt::format("{}", node.buckets()),
               fmt::format("{}", node.allowed_requests()),
               fmt::format("{}", node.rejected_requests()),
               fmt::format("{}", node.processed_requests()), format_time(node.last_seen_time())});
  }
  table.print();
  for (const v1::ClusterNode& node : reply.nodes()) {
    if (!node.config_error().empty()) {
      print_line(fmt::format("{} cannot apply: {}", node.node_id(), node.config_error()));
    }
  }
  return Exit::kOk;
}

}  // namespace

void add_cluster_noun(CommandLine* line) {
  CLI::App* noun = line->add_noun("cluster", "The cluster: its nodes and their leader");
  line->add_verb(noun, "leader", "Which node leads", {"cluster leader", "cluster leader --json"},
                 leader);
  line->add_verb(noun, "status", "All nodes, their roles and counters",
                 {"cluster status", "cluster status --json"}, status);
}

}  // namespace drip::cli
