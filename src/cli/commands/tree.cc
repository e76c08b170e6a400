// SPDX-License-Identifier: BSD-3-Clause
// The command `tree`: trees of buckets with their rates, from two successive states.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/quantity.h"
#include "cli/commands/commands.h"
#include "cli/commands/rule_list.h"
#include "cli/fields/bucket_place.h"
#include "cli/fields/bucket_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

struct Settings {
  std::string root;  // Empty: all trees.
  std::chrono::nanoseconds interval = std::chrono::seconds(1);
  bool watch = false;
  std::uint64_t count = 0;  // Of tables with --watch; 0: until interrupted.
};

// A node as it was read, by the server's clock.
struct Seen {
  v1::Bucket bucket;
  std::int64_t monotonic_ns = 0;
};
using Snapshot = std::map<std::string, Seen>;

Snapshot take(Session& session) {
  Snapshot snapshot;
  v1::ListBucketsRequest request;
  request.mutable_filter()->set_in_tree(true);
  request.set_page_size(1000);
  do {
    const v1::ListBucketsResponse page = session.connection.call(&Shaper::ListBuckets, request);
    request.set_page_token(page.next_page_token());
    for (const v1::Bucket& bucket : page.buckets()) {
      snapshot.emplace(bucket.bucket_id(), Seen{bucket, page.monotonic_ns()});
    }
  } while (!request.page_token().empty());
  return snapshot;
}

// The per-flow rules whose buckets are in trees.
std::vector<v1::RuleStatus> take_flow_rules(Session& session) {
  std::vector<v1::RuleStatus> result;
  const v1::ListRulesResponse all = list_all_rules(session);
  for (const v1::RuleStatus& status : all.rules()) {
    if (!status.rule().per_flow().bucket().parent_id().empty()) result.push_back(status);
  }
  return result;
}

// A node in the order of the table.
struct Row {
  const v1::Bucket* bucket = nullptr;  // Null: all buckets of a per-flow rule.
  const v1::RuleStatus* flow_rule = nullptr;
  std::string branch;         // "├─ " and so on.
  std::uint64_t backlog = 0;  // With all that is below it.
  double bits_per_second = 0;
  double units_per_second = 0;
  double green_bits_per_second = 0;  // Of bits_per_second, what the guarantee covers.
  std::string blocked_by;
  const v1::CoreShare* share = nullptr;  // The part of the spread root `bucket` on one thread.
};

class Forest {
 public:
  Forest(const Snapshot& before, const Snapshot& now, const std::vector<v1::RuleStatus>& flow_rules)
      : before_(before), now_(now) {
    for (const auto& [id, seen] : now) {
      children_[seen.bucket.config().parent_id()].push_back(&id);
    }
    for (const v1::RuleStatus& status : flow_rules) {
      flow_rules_[status.rule().per_flow().bucket().parent_id()].push_back(&status);
    }
  }

  [[nodiscard]] std::vector<Row> rows(const std::string& root) {
    std::vector<Row> result;
    if (!root.empty()) {
      add(root, "", "", result);
    } else {
      for (const std::string* const id : children_[""]) add(*id, "", "", result);
    }
    return result;
  }

 private:
  void add(const std::string& id, const std::string& branch, const std::string& below,
           std::vector<Row>& rows) {
    const std::size_t index = rows.size();
    const Seen& seen = now_.at(id);
    const v1::Bucket& bucket = seen.bucket;
    rows.push_back({&bucket, nullptr, branch, bucket.queue_size(), 0, 0, 0, ""});
    if (const auto then = before_.find(id); then != before_.end()) {
      const double seconds =
          1e-9 * static_cast<double>(seen.monotonic_ns - then->second.monotonic_ns);
      const auto rate = [&](std::uint64_t now, std::uint64_t was) {
        return now < was || seconds <= 0 ? 0 : static_cast<double>(now - was) / seconds;
      };
      const v1::Bucket& was = then->second.bucket;
      rows[index].bits_per_second = 8 * rate(bucket.processed_bytes(), was.processed_bytes());
      rows[index].green_bits_per_second = 8 * rate(bucket.green_bytes(), was.green_bytes());
      rows[index].units_per_second = rate(bucket.processed_requests(), was.processed_requests());
      for (int i = 0; i < std::min(bucket.core_shares_size(), was.core_shares_size()); ++i) {
        const v1::CoreShare& share = bucket.core_shares(i);
        const v1::CoreShare& before = was.core_shares(i);
        rows.push_back({&bucket, nullptr, below + "· ", 0,
                        8 * rate(share.processed_bytes(), before.processed_bytes()),
                        rate(share.processed_requests(), before.processed_requests()), 0, "",
                        &share});
      }
    }
    const std::vector<const std::string*>& children = children_[id];
    const std::vector<const v1::RuleStatus*>& flow_rules = flow_rules_[id];
    for (std::size_t i = 0; i < children.size(); ++i) {
      const bool last = i + 1 == children.size() && flow_rules.empty();
      const std::size_t child = rows.size();
      add(*children[i], below + (last ? "└─ " : "├─ "), below + (last ? "   " : "│  "), rows);
      rows[index].backlog += rows[child].backlog;
    }
    for (const v1::RuleStatus* const rule : flow_rules) {
      const bool last = rule == flow_rules.back();
      rows.push_back({nullptr, rule, below + (last ? "└─ " : "├─ "), 0, 0, 0, 0, ""});
    }
    if (rows[index].backlog > 0) rows[index].blocked_by = blocker_of(bucket);
  }

  // A node waits for its own schedule, for that of the nearest ancestor that is not due, or for its
  // turn among siblings.
  [[nodiscard]] std::string blocker_of(const v1::Bucket& bucket) const {
    if (bucket.tree_node_state() == v1::TREE_NODE_STATE_HELD) return "egress";
    if (bucket.tree_node_state() == v1::TREE_NODE_STATE_STOPPED) return "no lease";
    if (bucket.tree_node_state() == v1::TREE_NODE_STATE_PARKED) return "itself";
    if (bucket.tree_node_state() != v1::TREE_NODE_STATE_READY) return "-";
    for (const v1::Bucket* node = parent_of(bucket); node != nullptr; node = parent_of(*node)) {
      if (node->tree_node_state() != v1::TREE_NODE_STATE_READY) return node->bucket_id();
    }
    return "siblings";
  }
  [[nodiscard]] const v1::Bucket* parent_of(const v1::Bucket& bucket) const {
    const auto parent = now_.find(bucket.config().parent_id());
    return parent == now_.end() ? nullptr : &parent->second.bucket;
  }

  const Snapshot& before_;
  const Snapshot& now_;
  std::map<std::string, std::vector<const std::string*>> children_;  // In order of names.
  std::map<std::string, std::vector<const v1::RuleStatus*>> flow_rules_;
};

void print_table(const std::vector<Row>& rows) {
  Table table({{"BUCKET", Table::Align::kLeft},
               {"RATE NOW"},
               {"GREEN"},
               {"UNITS/S"},
               {"CEILING"},
               {"GUARANTEE"},
               {"WEIGHT"},
               {"PRIORITY"},
               {"BACKLOG"},
               {"BLOCKED BY", Table::Align::kLeft}});
  for (const Row& row : rows) {
    if (row.bucket == nullptr) {
      const v1::BucketConfig& each = row.flow_rule->rule().per_flow().bucket();
      table.add({row.branch + fmt::format("{} flows of rule {}, each", row.flow_rule->flows(),
                                          row.flow_rule->rule().rule_id()),
                 "-", "-", "-", rates_in_words(each), guarantee_in_words(each),
                 fmt::format("{}", each.weight()), fmt::format("{}", each.priority()), "-", "-"});
      continue;
    }
    if (row.share != nullptr) {
      table.add({row.branch + fmt::format("on transmitter {}", row.share->transmitter()),
                 format_bit_rate(row.bits_per_second, 4), "-",
                 fmt::format("{:.0f}", row.units_per_second), share_in_words(*row.share), "-", "-",
                 "-", "-", "-"});
      continue;
    }
    const v1::BucketConfig& config = row.bucket->config();
    const bool root = config.parent_id().empty();
    const bool guaranteed = !root && (config.guarantee() > 0 || config.guarantee_bps() > 0);
    table.add({row.branch + row.bucket->bucket_id(), format_bit_rate(row.bits_per_second, 4),
               guaranteed ? format_bit_rate(row.green_bits_per_second, 4) : "-",
               fmt::format("{:.0f}", row.units_per_second), rates_in_words(config),
               root ? "-" : guarantee_in_words(config),
               root ? "-" : fmt::format("{}", config.weight()),
               root ? "-" : fmt::format("{}", config.priority()), fmt::format("{}", row.backlog),
               or_dash(row.blocked_by)});
  }
  table.print();
}

void print_json(const std::vector<Row>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  nlohmann::ordered_json flow_rules = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    if (row.bucket == nullptr) {
      flow_rules.push_back(to_json(*row.flow_rule));
      continue;
    }
    if (row.share != nullptr) continue;  // The root has it.
    nlohmann::ordered_json node = to_json(*row.bucket);
    node["processed_bps"] = row.bits_per_second;
    node["green_bps"] = row.green_bits_per_second;
    node["processed_per_second"] = row.units_per_second;
    node["backlog"] = row.backlog;
    node["blocked_by"] = row.blocked_by;
    list.push_back(std::move(node));
  }
  nlohmann::ordered_json json;
  json["nodes"] = std::move(list);
  json["flow_rules"] = std::move(flow_rules);
  print(json);
}

Exit show(Session& session, const Settings& settings) {
  Snapshot before = take(session);
  for (std::uint64_t shown = 0;; ++shown) {
    std::this_thread::sleep_for(settings.interval);
    Snapshot now = take(session);
    if (!settings.root.empty() && !now.contains(settings.root)) {
      throw CallError(
          {grpc::StatusCode::NOT_FOUND, fmt::format("'{}' is no node of a tree", settings.root)},
          /*server_reached=*/true);
    }
    const std::vector<v1::RuleStatus> flow_rules = take_flow_rules(session);
    const std::vector<Row> rows = Forest(before, now, flow_rules).rows(settings.root);
    if (session.json) {
      print_json(rows);
    } else {
      if (shown > 0) print_line("");
      print_table(rows);
    }
    if (!settings.watch || (settings.count > 0 && shown + 1 >= settings.count)) return Exit::kOk;
    before = std::move(now);
  }
}

}  // namespace

void add_tree_command(CommandLine* line) {
  CLI::App* command =
      line->add_command("tree", "Trees of buckets: who gets what, and what each node waits for");
  auto settings = std::make_shared<Settings>();
  line->set_default_subcommand(command,
                               [settings](Session& session) { return show(session, *settings); });
  command->footer(
      "Examples:\n  dripctl tree\n  dripctl tree uplink --watch\n"
      "  dripctl tree --interval 5s --json");
  command->add_option("root", settings->root, "Only this node and all that is below it")
      ->type_name("NAME");
  add_parsed(
      command, "--interval", "DURATION", "Over which rates are measured (1s)",
      [](std::string_view text) { return parse_duration(text); },
      [settings](std::chrono::nanoseconds interval) { settings->interval = interval; });
  command->add_flag("--watch", settings->watch, "Again and again, until interrupted");
  add_whole<std::uint64_t>(command, "--count", "With --watch: so many times",
                           [settings](std::uint64_t count) { settings->count = count; });
}

}  // namespace drip::cli
