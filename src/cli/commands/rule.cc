// SPDX-License-Identifier: BSD-3-Clause
// The noun `rule`: set, add, list, delete, default.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/commands/commands.h"
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
  }
  return Exit::kOk;
}

// The set that would make the rules what they are.
v1::RuleSet present_set(const v1::ListRulesResponse& list) {
  v1::RuleSet rule_set;
  for (const v1::RuleStatus& status : list.rules()) *rule_set.add_rules() = status.rule();
  rule_set.set_default_bucket_id(list.default_bucket_id());
  rule_set.set_protect_control_traffic(list.protect_control_traffic());
  return rule_set;
}

Exit set_default(Session& session, const std::string& bucket) {
  // The API sets the default only together with all rules; so only if nobody changes them
  // meanwhile.
  for (int tries_left = 4;; --tries_left) {
    const v1::ListRulesResponse present = session.connection.call(&Shaper::ListRules, {});
    v1::SetRulesRequest request;
    *request.mutable_rule_set() = present_set(present);
    request.mutable_rule_set()->set_default_bucket_id(bucket);
    request.set_expected_revision(present.revision());
    try {
      return apply(session, request);
    } catch (const CallError& error) {
      if (error.code() != grpc::StatusCode::ABORTED || tries_left == 0) throw;
    }
  }
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
  print_line(fmt::format("revision {}", list.revision()));
  print_line(list.protect_control_traffic()
                 ? fmt::format("control traffic is protected: {} packets", list.protected_packets())
                 : "control traffic is not protected");
}

enum class ListForm { kStatus, kNames, kSet };

Exit list(Session& session, ListForm form) {
  const v1::ListRulesResponse reply = session.connection.call(&Shaper::ListRules, {});
  if (form == ListForm::kNames) {
    for (const v1::RuleStatus& status : reply.rules()) print_line(status.rule().rule_id());
  } else if (form == ListForm::kSet) {
    print(present_set(reply));
  } else if (session.json) {
    print(reply);
  } else {
    print_table(reply);
  }
  return Exit::kOk;
}

}  // namespace

void add_rule_noun(CommandLine* line) {
  CLI::App* noun = line->add_noun("rule", "Rules: which packets go to which bucket");

  auto path = std::make_shared<std::string>();
  auto replacement = std::make_shared<v1::SetRulesRequest>();
  CLI::App* verb =
      line->add_verb(noun, "set", "Replace all rules in one step; no packet sees half of it",
                     {"rule set rules.toml", "rule set rules.json --if-revision 7",
                      "rule list --as-set | dripctl rule set -"},
                     [path, replacement](Session& session) {
                       *replacement->mutable_rule_set() = read_rule_file(*path);
                       return apply(session, *replacement);
                     });
  verb->add_option("file", *path, "The API's RuleSet as TOML or JSON; - for standard input")
      ->required();
  add_whole<std::uint64_t>(
      verb, "--if-revision", "Only if this is the present revision, as `rule list` shows it",
      [replacement](std::uint64_t revision) { replacement->set_expected_revision(revision); });

  // The verb runs after parsing, when the flags that are only made below have written theirs.
  auto flags = std::make_shared<std::shared_ptr<RuleFlags>>();
  verb = line->add_verb(
      noun, "add", "Add a rule, or replace the one of that name",
      {"rule add web --proto tcp --dport 443 --bucket web",
       "rule add voice --dscp ef --priority 100 --pass",
       "rule add customers --src 198.51.100.0/24 --per-flow source --rate 10mbit \\\n"
       "      --capacity 200 --max-flows 256",
       "rule add nets --per-flow destination --prefix4 24 --prefix6 64 --rate 1kpps \\\n"
       "      --capacity 100 --max-flows 1000 --idle-timeout 60s"},
      [flags](Session& session) { return add(session, (*flags)->complete()); });
  *flags = add_rule_flags(verb);

  auto form = std::make_shared<ListForm>(ListForm::kStatus);
  verb = line->add_verb(noun, "list", "Rules in the order in which they are tried, with hits",
                        {"rule list", "rule list --json", "rule list --as-set > rules.json"},
                        [form](Session& session) { return list(session, *form); });
  verb->add_flag_callback(
      "--as-set", [form] { *form = ListForm::kSet; }, "Write the JSON that `rule set` takes");
  verb->add_flag_callback("--names", [form] { *form = ListForm::kNames; })->group("");

  auto deletion = std::make_shared<v1::DeleteRuleRequest>();
  verb = line->add_verb(noun, "delete", "Delete a rule", {"rule delete web"},
                        [deletion](Session& session) { return remove(session, *deletion); });
  verb->add_option_function<std::string>(
          "rule", [deletion](const std::string& id) { deletion->set_rule_id(id); },
          "Name of the rule")
      ->required();

  auto bucket = std::make_shared<std::string>();
  verb =
      line->add_verb(noun, "default", "Say where packets go that no rule takes: a bucket, or pass",
                     {"rule default rest", "rule default pass"}, [bucket](Session& session) {
                       return set_default(session, *bucket == "pass" ? std::string() : *bucket);
                     });
  verb->add_option("bucket", *bucket, "Name of a bucket, or pass")
      ->required()
      // The API takes no name for "pass"; in a script it is a variable that was not set.
      ->check([](const std::string& name) {
        return name.empty() ? "'' is not allowed; allowed: the name of a bucket, or pass" : "";
      });
}

}  // namespace drip::cli
