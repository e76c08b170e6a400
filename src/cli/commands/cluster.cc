// SPDX-License-Identifier: BSD-3-Clause
// The command `cluster`: leader, status, shares, watch.
#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

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

Exit status(Session& session, bool names_only) {
  const v1::GetClusterStatusResponse reply =
      session.connection.call(&RateLimiter::GetClusterStatus, {});
  if (names_only) {
    for (const v1::ClusterNode& node : reply.nodes()) print_line(node.node_id());
    return Exit::kOk;
  }
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
  for (const std::string& warning : reply.warnings()) print_line("warning: " + warning);
  for (const v1::ClusterNode& node : reply.nodes()) {
    if (!node.config_error().empty()) {
      print_line(fmt::format("{} cannot apply: {}", node.node_id(), node.config_error()));
    }
  }
  return Exit::kOk;
}

// What `cluster watch` reports when it changes: not the counters, nor when a node was last seen.
std::string situation_in_words(const v1::GetClusterStatusResponse& reply) {
  if (!reply.connected() && reply.clustered()) {
    return fmt::format("CUT OFF: {}", or_dash(reply.cut_off_reason()));
  }
  std::string leader = "no leader";
  std::string nodes;
  for (const v1::ClusterNode& node : reply.nodes()) {
    if (node.role() == v1::NODE_ROLE_LEADER) leader = node.node_id() + " leads";
    nodes += fmt::format(", {} {}{}", node.node_id(), state_in_words(node.state()),
                         node.config_error().empty() ? "" : " with an error");
  }
  return fmt::format("epoch {}, {}, revision {}{}", reply.epoch(), leader, reply.config_revision(),
                     nodes);
}

Exit watch(Session& session, std::chrono::nanoseconds interval, std::uint64_t count) {
  std::string before;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (i > 0) std::this_thread::sleep_for(interval);
    const v1::GetClusterStatusResponse reply =
        session.connection.call(&RateLimiter::GetClusterStatus, {});
    std::string now = situation_in_words(reply);
    if (now == before) continue;
    before = std::move(now);
    if (session.json) {
      print(reply);
    } else {
      const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::system_clock::now().time_since_epoch());
      print_line(fmt::format("{}  {}", format_time(time.count()), before));
    }
    std::fflush(stdout);
  }
  return Exit::kOk;
}

Exit shares(Session& session, v1::GetClusterSharesRequest request) {
  v1::GetClusterSharesResponse reply;
  do {
    const v1::GetClusterSharesResponse page =
        session.connection.call(&RateLimiter::GetClusterShares, request);
    request.set_page_token(page.next_page_token());
    reply.mutable_buckets()->MergeFrom(page.buckets());
  } while (!request.page_token().empty());
  if (session.json) {
    nlohmann::ordered_json json = to_json(reply);
    json.erase("next_page_token");  // The list is complete.
    print(json);
    return Exit::kOk;
  }
  const auto percent = [](double part) { return fmt::format("{:.1f} %", 100 * part); };
  Table table({{"BUCKET", Table::Align::kLeft},
               {"NODE", Table::Align::kLeft},
               {"SHARE"},
               {"SAFE SHARE"},
               {"DEMAND"}});
  for (const v1::BucketShares& bucket : reply.buckets()) {
    for (const v1::NodeShare& node : bucket.nodes()) {
      table.add({bucket.bucket_id(), node.node_id(), percent(node.share()),
                 percent(node.safe_share()), percent(node.demand())});
    }
  }
  table.print();
  return Exit::kOk;
}

Exit forget(Session& session, const v1::ForgetNodeRequest& request) {
  const v1::ForgetNodeResponse reply = session.connection.call(&RateLimiter::ForgetNode, request);
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("{} is forgotten{}", request.node_id(),
                           reply.had_shares() ? ", its safe shares are free" : ""));
  }
  return Exit::kOk;
}

void add_forget(CommandLine* line, CLI::App* command) {
  auto request = std::make_shared<v1::ForgetNodeRequest>();
  CLI::App* subcommand = line->add_subcommand(
      command, "forget", "Give up a node that is gone for good, and free its safe shares",
      {"cluster forget n3", "cluster forget n3 --json"},
      [request](Session& session) { return forget(session, *request); });
  subcommand
      ->add_option_function<std::string>(
          "node", [request](const std::string& id) { request->set_node_id(id); },
          "The node's id; refused while the node lives")
      ->type_name("NODE")
      ->required();
}

void add_shares(CommandLine* line, CLI::App* command) {
  auto request = std::make_shared<v1::GetClusterSharesRequest>();
  CLI::App* subcommand = line->add_subcommand(
      command, "shares", "The share of each node in the rates of split buckets",
      {"cluster shares", "cluster shares --bucket cust-7", "cluster shares --json"},
      [request](Session& session) { return shares(session, *request); });
  subcommand
      ->add_option_function<std::string>(
          "--bucket", [request](const std::string& id) { request->set_bucket_id(id); },
          "Only the shares in this bucket")
      ->type_name("NAME");
}

void add_watch(CommandLine* line, CLI::App* command) {
  auto interval = std::make_shared<std::chrono::nanoseconds>(std::chrono::milliseconds(200));
  auto count = std::make_shared<std::uint64_t>(std::numeric_limits<std::uint64_t>::max());
  CLI::App* subcommand = line->add_subcommand(
      command, "watch", "A line for each change of leader, nodes or revision, until interrupted",
      {"cluster watch --count 5", "cluster watch --interval 50ms --count 20",
       "cluster watch --json --count 2"},
      [interval, count](Session& session) { return watch(session, *interval, *count); });
  add_parsed(
      subcommand, "--interval", "DURATION", "How often the status is read, 10ms to 1h [200ms]",
      [](std::string_view text) -> Parsed<std::chrono::nanoseconds> {
        const auto span = parse_duration(text);
        if (span && (*span < std::chrono::milliseconds(10) || *span > std::chrono::hours(1))) {
          return not_allowed<std::chrono::nanoseconds>(text, "10ms to 1h");
        }
        return span;
      },
      [interval](std::chrono::nanoseconds span) { *interval = span; });
  add_count(subcommand, "Stop after reading the status N times", count);
}

}  // namespace

void add_cluster_command(CommandLine* line) {
  CLI::App* command = line->add_command("cluster", "The cluster: its nodes and their leader");
  line->add_subcommand(command, "leader", "Which node leads",
                       {"cluster leader", "cluster leader --json"}, leader);
  auto names_only = std::make_shared<bool>(false);
  line->add_subcommand(command, "status", "All nodes, their roles and counters",
                       {"cluster status", "cluster status --json"},
                       [names_only](Session& session) { return status(session, *names_only); })
      ->add_flag("--names", *names_only, "Only the names")
      ->group("");
  add_shares(line, command);
  add_forget(line, command);
  add_watch(line, command);
}

}  // namespace drip::cli
