// SPDX-License-Identifier: BSD-3-Clause
// The command `rule`: set, add, list, delete, default, protect.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/commands/commands.h"
#include "cli/commands/rule_list.h"
#include "cli/fields/rule_file.h"
#include "cli/fields/rule_flags.h"
#include "cli/fields/rule_text.h"
#include "cli/output/output.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

Exit apply(Session& session, const v1::SetRulesRequest& request) {
  const v1::RuleSet& rule_set = request.rule_set();
  const v1::SetRulesResponse reply = session.connection.call(&Shaper::SetRules, request);
  if (session.json) {
    print(reply);
  } else {
    const std::string& rest = rule_set.default_bucket_id();
    print_line(fmt::format("{} rules set, {}, revision {}", rule_set.rules_size(),
                           rest.empty() ? "the rest passes" : "the rest into bucket " + rest,
                           reply.revision()));
    print_warnings(reply.warnings());
  }
  return Exit::kOk;
}

// The rule set of the rules as they are.
v1::RuleSet present_set(const v1::ListRulesResponse& list) {
  v1::RuleSet rule_set;
  for (const v1::RuleStatus& status : list.rules()) *rule_set.add_rules() = status.rule();
  rule_set.set_default_bucket_id(list.default_bucket_id());
  rule_set.set_protect_control_traffic(list.protect_control_traffic());
  *rule_set.mutable_control_protocols() = list.control_protocols();
  return rule_set;
}

// Changes what the API sets together with all rules: reads the rules, lets `change` change them,
// and sets them at the revision that was read; tries again if they were changed in between.
template <class Change>
Exit change_set(Session& session, Change change) {
  for (int tries_left = 4;; --tries_left) {
    const v1::ListRulesResponse present = list_all_rules(session);
    v1::SetRulesRequest request;
    *request.mutable_rule_set() = present_set(present);
    change(*request.mutable_rule_set());
    request.set_expected_revision(present.revision());
    try {
      return apply(session, request);
    } catch (const CallError& error) {
      if (error.code() != grpc::StatusCode::ABORTED || tries_left == 0) throw;
    }
  }
}

Exit set_default(Session& session, const std::string& bucket) {
  return change_set(session,
                    [&](v1::RuleSet& rule_set) { rule_set.set_default_bucket_id(bucket); });
}

// Which control traffic goes past the rules.
struct Protection {
  bool none = false;
  std::vector<std::string> only;
  std::vector<std::string> except;
};

Exit protect(Session& session, const Protection& protection) {
  return change_set(session, [&](v1::RuleSet& rule_set) {
    rule_set.set_protect_control_traffic(!protection.none);
    rule_set.clear_control_protocols();
    if (!protection.only.empty()) rule_set.add_control_protocols("none");
    for (const std::string& name : protection.only) rule_set.add_control_protocols(name);
    for (const std::string& name : protection.except) rule_set.add_control_protocols("-" + name);
  });
}

std::string protection_in_words(const v1::ListRulesResponse& list) {
  if (!list.protect_control_traffic()) return "control traffic is not protected";
  std::string words =
      fmt::format("control traffic is protected: {} packets", list.protected_packets());
  if (list.control_protocols().empty()) return words;
  return fmt::format("{}; only {}", words, fmt::join(list.protected_protocols(), ", "));
}

Exit add(Session& session, const v1::Rule& rule) {
  v1::SetRuleRequest request;
  *request.mutable_rule() = rule;
  const v1::SetRuleResponse reply = session.connection.call(&Shaper::SetRule, request);
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("rule {} {}: {} -> {}, revision {}", rule.rule_id(),
                           reply.created() ? "added" : "replaced", match_in_words(rule.match()),
                           action_in_words(rule), reply.revision()));
    print_warnings(reply.warnings());
  }
  return Exit::kOk;
}

Exit remove(Session& session, const v1::DeleteRuleRequest& request) {
  const v1::DeleteRuleResponse reply = session.connection.call(&Shaper::DeleteRule, request);
  if (session.json) {
    print(reply);
  } else {
    print_line(fmt::format("rule {} deleted, revision {}", request.rule_id(), reply.revision()));
  }
  return Exit::kOk;
}

std::string kinds_in_words(const v1::DefaultCounts& counts) {
  std::string words;
  const auto add = [&words](std::uint64_t count, const char* kind) {
    if (count > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", count, kind);
  };
  add(counts.mpls(), "behind MPLS");
  add(counts.pppoe(), "behind PPPoE");
  add(counts.non_ip(), "without IP");
  add(counts.fragments(), "fragments");
  add(counts.tunnels(), "in tunnels");
  add(counts.other(), "other");
  return words;
}

void print_table(const v1::ListRulesResponse& list) {
  Table table({{"PRIORITY"},
               {"RULE", Table::Align::kLeft},
               {"MATCH", Table::Align::kLeft},
               {"ACTION", Table::Align::kLeft},
               {"PACKETS"},
               {"BYTES"},
               {"FLOWS"},
               {"REFUSED"}});
  for (const v1::RuleStatus& status : list.rules()) {
    const v1::Rule& rule = status.rule();
    const bool per_flow = rule.has_per_flow();
    table.add({fmt::format("{}", rule.priority()), rule.rule_id(), match_in_words(rule.match()),
               action_in_words(rule), fmt::format("{}", status.packets()),
               brief_bytes(status.bytes()), per_flow ? fmt::format("{}", status.flows()) : "-",
               per_flow ? fmt::format("{}", status.flows_refused()) : "-"});
  }
  const std::string& rest = list.default_bucket_id();
  table.add({"-", "default", "the rest", rest.empty() ? "pass" : "bucket " + rest,
             fmt::format("{}", list.default_packets()), "-", "-", "-"});
  table.print();
  for (const v1::RuleStatus& status : list.rules()) {
    for (const std::string& warning : status.warnings()) {
      print_line(fmt::format("warning: {}: {}", status.rule().rule_id(), warning));
    }
  }
  const std::string kinds = kinds_in_words(list.default_counts());
  if (!kinds.empty()) print_line("the default took " + kinds);
  print_line(fmt::format("revision {}", list.revision()));
  print_line(protection_in_words(list));
}

enum class ListForm { kStatus, kNames, kSet };

Exit list(Session& session, ListForm form) {
  const v1::ListRulesResponse reply = list_all_rules(session);
  if (form == ListForm::kNames) {
    for (const v1::RuleStatus& status : reply.rules()) print_line(status.rule().rule_id());
  } else if (form == ListForm::kSet) {
    print(present_set(reply));
  } else if (session.json) {
    nlohmann::ordered_json json = to_json(reply);
    json.erase("next_page_token");  // The list is complete.
    print(json);
  } else {
    print_table(reply);
  }
  return Exit::kOk;
}

}  // namespace

void add_rule_command(CommandLine* line) {
  CLI::App* command = line->add_command("rule", "Rules: which packets go to which bucket");

  auto path = std::make_shared<std::string>();
  auto replacement = std::make_shared<v1::SetRulesRequest>();
  CLI::App* subcommand =
      line->add_subcommand(command, "set", "Replace all rules in one step",
                           {"rule set rules.toml", "rule set rules.json --if-revision 7",
                            "rule list --as-set | dripctl rule set -"},
                           [path, replacement](Session& session) {
                             *replacement->mutable_rule_set() = read_rule_file(*path);
                             return apply(session, *replacement);
                           });
  subcommand
      ->add_option("file", *path, "A RuleSet of the API as TOML or JSON; - for standard input")
      ->required();
  add_whole<std::uint64_t>(
      subcommand, "--if-revision", "Only if the rules are at this revision (see `rule list`)",
      [replacement](std::uint64_t revision) { replacement->set_expected_revision(revision); });

  // A pointer to a pointer, because the flags are added after the subcommand. The subcommand runs
  // when all flags have been parsed.
  auto flags = std::make_shared<std::shared_ptr<RuleFlags>>();
  subcommand = line->add_subcommand(
      command, "add", "Add a rule, or replace the one of that name",
      {"rule add web --proto tcp --dport 443 --bucket web",
       "rule add voice --dscp ef --priority 100 --pass",
       "rule add customers --src 198.51.100.0/24 --per-flow source --rate 10mbit \\\n"
       "      --capacity 200 --max-flows 256",
       "rule add nets --per-flow destination --prefix4 24 --prefix6 64 --rate 1kpps \\\n"
       "      --capacity 100 --max-flows 1000 --idle-timeout 60s"},
      [flags](Session& session) { return add(session, (*flags)->complete()); });
  *flags = add_rule_flags(subcommand);

  auto form = std::make_shared<ListForm>(ListForm::kStatus);
  subcommand = line->add_subcommand(
      command, "list", "Rules in the order in which they are tried, with their hits",
      {"rule list", "rule list --json", "rule list --as-set > rules.json"},
      [form](Session& session) { return list(session, *form); });
  subcommand->add_flag_callback(
      "--as-set", [form] { *form = ListForm::kSet; }, "Write the JSON that `rule set` takes");
  subcommand->add_flag_callback("--names", [form] { *form = ListForm::kNames; })->group("");

  auto deletion = std::make_shared<v1::DeleteRuleRequest>();
  subcommand =
      line->add_subcommand(command, "delete", "Delete a rule", {"rule delete web"},
                           [deletion](Session& session) { return remove(session, *deletion); });
  subcommand
      ->add_option_function<std::string>(
          "rule", [deletion](const std::string& id) { deletion->set_rule_id(id); },
          "Name of the rule")
      ->required();

  auto protection = std::make_shared<Protection>();
  subcommand = line->add_subcommand(
      command, "protect", "Set which control traffic goes past the rules; without a flag all of it",
      {"rule protect", "rule protect --except dhcp,pppoe", "rule protect --only arp,nd,bgp",
       "rule protect --none"},
      [protection](Session& session) { return protect(session, *protection); });
  CLI::Option* except =
      subcommand->add_option("--except", protection->except, "All but these protocols")
          ->delimiter(',')
          ->type_name("NAMES");
  CLI::Option* only = subcommand->add_option("--only", protection->only, "Only these protocols")
                          ->delimiter(',')
                          ->type_name("NAMES")
                          ->excludes(except);
  subcommand->add_flag("--none", protection->none, "Nothing")->excludes(except)->excludes(only);

  auto bucket = std::make_shared<std::string>();
  subcommand = line->add_subcommand(
      command, "default", "Set where packets go that match no rule: a bucket, or pass",
      {"rule default rest", "rule default pass"}, [bucket](Session& session) {
        return set_default(session, *bucket == "pass" ? std::string() : *bucket);
      });
  subcommand->add_option("bucket", *bucket, "Name of a bucket, or pass")
      ->required()
      // The API takes an empty name for pass; here it is more likely an unset variable of a script.
      ->check([](const std::string& name) {
        return name.empty() ? argument_error(name, "the name of a bucket, or pass") : "";
      });
}

}  // namespace drip::cli
