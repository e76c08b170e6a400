// SPDX-License-Identifier: BSD-3-Clause
// The command `rule`: flags and files to messages and back.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

// A message from protobuf's text format, to compare with.
template <typename Message>
std::string text(const std::string& fields) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(fields, &message)) << fields;
  return message.DebugString();
}

class DripctlRuleTest : public DripctlTest {
 protected:
  std::string file(const std::string& name, const std::string& content) {
    const std::filesystem::path path = directory_ / name;
    std::ofstream(path) << content;
    return path.string();
  }
  void SetUp() override { std::filesystem::create_directories(directory_); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  const std::filesystem::path directory_ =
      std::filesystem::path(testing::TempDir()) / ("dripctl-rules-" + std::to_string(getpid()));
};

TEST_F(DripctlRuleTest, AddSendsEveryMatch) {
  const Outcome outcome = dripctl(
      "rule add web --priority -5 --src 192.0.2.0/24 --dst 2001:db8::/32 --proto tcp "
      "--sport 1000-2000 --dport 443 --vlan 100 --inner-vlan 7 --dscp af31 "
      "--ether-type 0x86dd --port lan --bucket web");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(asked<v1::SetRuleRequest>().rule().DebugString(), text<v1::Rule>(R"(
    rule_id: "web" priority: -5 bucket_id: "web"
    match {
      src_prefix: "192.0.2.0/24" dst_prefix: "2001:db8::/32" ip_protocol: 6
      src_port { first: 1000 last: 2000 } dst_port { first: 443 last: 443 }
      vlan_id: 100 inner_vlan_id: 7 dscp: 26 ether_type: 0x86dd ingress_port: "lan"
    })"));
  EXPECT_EQ(outcome.out,
            "rule web replaced: ether-type 0x86dd tcp src 192.0.2.0/24 sport 1000-2000 dst "
            "2001:db8::/32 dport 443 vlan 100 inner-vlan 7 dscp 26 port lan -> bucket web, "
            "revision 0\n");
}

TEST_F(DripctlRuleTest, AddSendsWhatLooksDeeper) {
  const Outcome outcome = dripctl(
      "rule add r --src 192.0.2.0/24,2001:db8::/32 --dst-list servers --tcp-flags syn,-ack "
      "--src-mac 02:00:00:00:00:00/24 --inner --drop");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(asked<v1::SetRuleRequest>().rule().DebugString(), text<v1::Rule>(R"(
    rule_id: "r" drop: true
    match {
      src_prefixes: "192.0.2.0/24" src_prefixes: "2001:db8::/32" dst_list: "servers"
      tcp_flags: 2 tcp_flags_mask: 18 src_mac: "02:00:00:00:00:00/24" inner: true
    })"));
  EXPECT_EQ(outcome.out,
            "rule r replaced: inner src 192.0.2.0/24,2001:db8::/32 dst list servers tcp-flags "
            "syn,-ack src-mac 02:00:00:00:00:00/24 -> drop, revision 0\n");
}

TEST_F(DripctlRuleTest, AddSendsIcmpAndWhatFlowsDifferIn) {
  EXPECT_EQ(dripctl("rule add r --icmp 3/4 --per-flow link --by vlan,inner-vlan,port --rate 1mbit "
                    "--capacity 9 --max-flows 8 --overflow drop")
                .exit_code,
            0);
  const auto sent = asked<v1::SetRuleRequest>();
  const v1::Rule& rule = sent.rule();
  EXPECT_EQ(rule.match().icmp_type(), 3U);
  EXPECT_EQ(rule.match().icmp_code(), 4U);
  EXPECT_EQ(rule.per_flow().key(), v1::FLOW_KEY_LINK);
  EXPECT_TRUE(rule.per_flow().by_vlan() && rule.per_flow().by_inner_vlan() &&
              rule.per_flow().by_ingress_port());
  EXPECT_EQ(rule.per_flow().overflow(), v1::FLOW_OVERFLOW_DROP);
  for (const char* const wrong : {"--icmp 256", "--icmp 3/", "--tcp-flags syn,foo", "--by mac"}) {
    EXPECT_EQ(dripctl(std::string("rule add r --drop ") + wrong).exit_code, 2) << wrong;
  }
}

TEST_F(DripctlRuleTest, ListsAreSetFromArgumentsAndFiles) {
  const std::string path =
      file("list.txt", "# customers\n10.0.0.1 10.0.0.2  # two\n\n2001:db8::/32\n");
  EXPECT_EQ(dripctl("list set l --file " + path).exit_code, 0);
  EXPECT_EQ(asked<v1::SetAddressListRequest>().DebugString(), text<v1::SetAddressListRequest>(R"(
    mode: ADDRESS_LIST_MODE_REPLACE
    list { name: "l" prefixes: "10.0.0.1" prefixes: "10.0.0.2" prefixes: "2001:db8::/32" })"));
  EXPECT_EQ(dripctl("list set l --file /nowhere").exit_code, 2);
}

TEST_F(DripctlRuleTest, ListsAreChangedByArguments) {
  EXPECT_EQ(dripctl("list add l 10.0.0.3 10.0.0.4").exit_code, 0);
  EXPECT_EQ(asked<v1::SetAddressListRequest>().DebugString(), text<v1::SetAddressListRequest>(R"(
    mode: ADDRESS_LIST_MODE_ADD list { name: "l" prefixes: "10.0.0.3" prefixes: "10.0.0.4" })"));
}

TEST_F(DripctlRuleTest, NamesAreTheSameInUpperCase) {
  const Outcome outcome = dripctl("rule add r --proto TCP --dscp AF31 --ether-type IPv4 --pass");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(asked<v1::SetRuleRequest>().rule().DebugString(), text<v1::Rule>(R"(
    rule_id: "r" pass: true match { ip_protocol: 6 dscp: 26 ether_type: 0x0800 })"));
}

TEST_F(DripctlRuleTest, AddSendsFlowTemplateWhateverTheOrderOfFlags) {
  const std::string expected = text<v1::Rule>(R"(
    rule_id: "r" match {}
    per_flow {
      key: FLOW_KEY_SOURCE max_flows: 256 idle_timeout_ms: 60000
      ipv4_prefix_length: 24 ipv6_prefix_length: 64
      bucket { leak_rate_bps: 1e7 leak_rate: 1000 capacity: 200 departure: DEPARTURE_AT_START }
    })");
  const std::string settings =
      " --rate 10mbit --rate 1kpps --capacity 200 --departure start --max-flows 256 "
      "--idle-timeout 60s --prefix4 24 --prefix6 64 ";
  EXPECT_EQ(dripctl("rule add r --per-flow source" + settings).exit_code, 0);
  EXPECT_EQ(dripctl("rule add r" + settings + "--per-flow source").exit_code, 0);
  const auto requests = server_->asked<v1::SetRuleRequest>();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].rule().DebugString(), expected);
  EXPECT_EQ(requests[1].rule().DebugString(), expected);
}

TEST_F(DripctlRuleTest, AddSendsEveryAction) {
  for (const std::string action : {"--pass", "--drop", "--bucket b", "--per-flow five-tuple"}) {
    EXPECT_EQ(dripctl("rule add r " + action).exit_code, 0) << action;
  }
  const auto requests = server_->asked<v1::SetRuleRequest>();
  ASSERT_EQ(requests.size(), 4U);
  EXPECT_TRUE(requests[0].rule().pass());
  EXPECT_TRUE(requests[1].rule().drop());
  EXPECT_EQ(requests[2].rule().bucket_id(), "b");
  EXPECT_EQ(requests[3].rule().per_flow().key(), v1::FLOW_KEY_FIVE_TUPLE);
}

constexpr const char* kSetInToml = R"(
default_bucket_id = "rest"
[[rules]]
rule_id = "web"
priority = 10
bucket_id = "web"
match = { ip_protocol = 6, dst_port = { first = 443, last = 443 } }
[[rules]]
rule_id = "customers"
[rules.per_flow]
key = "FLOW_KEY_SOURCE"
max_flows = 256
bucket = { leak_rate_bps = 1e7, capacity = 200 }
)";
constexpr const char* kSetInJson = R"({"default_bucket_id": "rest", "rules": [
  {"rule_id": "web", "priority": 10, "bucket_id": "web",
   "match": {"ip_protocol": 6, "dst_port": {"first": 443, "last": 443}}},
  {"rule_id": "customers", "per_flow": {"key": "FLOW_KEY_SOURCE", "max_flows": 256,
   "bucket": {"leak_rate_bps": 10000000, "capacity": 200}}}]})";

TEST_F(DripctlRuleTest, SetReadsTomlAndJsonFromFileAndInput) {
  const std::string expected = text<v1::RuleSet>(R"(
    rules { rule_id: "web" priority: 10 bucket_id: "web"
            match { ip_protocol: 6 dst_port { first: 443 last: 443 } } }
    rules { rule_id: "customers" per_flow { key: FLOW_KEY_SOURCE max_flows: 256
            bucket { leak_rate_bps: 1e7 capacity: 200 } } }
    default_bucket_id: "rest")");
  const Outcome outcome = dripctl("rule set " + file("rules.toml", kSetInToml));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "2 rules set, the rest into bucket rest, revision 0\n");
  dripctl("rule set " + file("rules.json", kSetInJson));
  dripctl("rule set -", kSetInToml);
  dripctl("rule set -", kSetInJson);
  const auto requests = server_->asked<v1::SetRulesRequest>();
  ASSERT_EQ(requests.size(), 4U);
  for (const auto& request : requests) EXPECT_EQ(request.rule_set().DebugString(), expected);
}

TEST_F(DripctlRuleTest, SetNamesTheErrorInAFile) {
  const std::string toml = file("rules.toml", "default_bucket_id = \"rest\"\nrules = [ oops ]\n");
  const std::tuple<std::string, std::string, std::string> cases[] = {
      {"rule set " + toml, "", toml + ":2:11: "},
      {"rule set -", "{\"rules\": [{\"rule\": 1}]}", "standard input: (rules[0]) rule: "},
      {"rule set -", "[[rules]]\npriority = \"x\"\n", "standard input: (rules[0].priority): "},
      {"rule set -", "{\"rules\": [", "standard input: "},
      {"rule set -", "{} {}", "standard input: "},
      {"rule set -", " \n", "standard input: is empty"},
      {"rule set /", "", "/: cannot be read"},
  };
  for (const auto& [command, input, message] : cases) {
    const Outcome outcome = dripctl(command, input);
    EXPECT_EQ(outcome.exit_code, 2) << command << input;
    EXPECT_THAT(outcome.err, HasSubstr("dripctl: USAGE: " + message));
  }
  EXPECT_EQ(server_->calls(), 0U);
}

v1::ListRulesResponse two_rules() {
  v1::ListRulesResponse list;
  v1::RuleStatus* status = list.add_rules();
  status->mutable_rule()->set_rule_id("web");
  status->mutable_rule()->mutable_match()->set_dscp(0);
  status->mutable_rule()->set_bucket_id("web");
  status->set_packets(42);
  status = list.add_rules();
  status->mutable_rule()->set_rule_id("flows");
  status->mutable_rule()->mutable_per_flow()->set_key(v1::FLOW_KEY_DESTINATION);
  status->mutable_rule()->mutable_per_flow()->set_ipv4_prefix_length(24);
  status->mutable_rule()->mutable_per_flow()->set_max_flows(9);
  status->mutable_rule()->mutable_per_flow()->mutable_bucket()->set_leak_rate(0.5);
  status->set_flows(5);
  list.set_default_bucket_id("old");
  list.set_default_packets(17);
  list.set_revision(7);
  return list;
}

TEST_F(DripctlRuleTest, ListReadsWell) {
  server_->reply(two_rules());
  const auto table = lines(dripctl("rule list").out);
  ASSERT_EQ(table.size(), 6U);
  EXPECT_THAT(table[1], ContainsRegex("0  web +dscp 0 +bucket web +42 +0b +- +-"));
  EXPECT_THAT(table[2],
              ContainsRegex("flows +any +per destination/24: 0.5/s, at most 9 flows +0 +0b +5 +0"));
  EXPECT_THAT(table[3], ContainsRegex("default +the rest +bucket old +17"));
  EXPECT_EQ(table[4], "revision 7");
  EXPECT_EQ(table[5], "control traffic is not protected");
  EXPECT_EQ(dripctl("rule list --names").out, "web\nflows\n");
  EXPECT_EQ(json("rule list")["rules"][0]["rule"]["match"]["dscp"], 0);
}

TEST_F(DripctlRuleTest, ListSaysWhatIsWrongWithARule) {
  v1::ListRulesResponse rules = two_rules();
  rules.mutable_rules(0)->add_warnings("is never reached: rule 'all' takes all of its packets");
  rules.mutable_rules(1)->add_warnings("its capacity_bytes of 60 hold no frame of 1514 bytes");
  rules.mutable_rules(1)->add_warnings("never matches a fragment");
  server_->reply(rules);
  EXPECT_THAT(dripctl("rule list").out,
              HasSubstr("warning: web: is never reached: rule 'all' takes all of its packets\n"
                        "warning: flows: its capacity_bytes of 60 hold no frame of 1514 bytes\n"
                        "warning: flows: never matches a fragment\n"));
  EXPECT_EQ(dripctl("rule list --names").out, "web\nflows\n");
  EXPECT_EQ(json("rule list")["rules"][0]["warnings"].size(), 1U);
}

// What --as-set writes is what `set` reads, with nothing lost.
TEST_F(DripctlRuleTest, ListAsSetMakesTheSameRules) {
  server_->reply(two_rules());
  EXPECT_EQ(dripctl("rule set -", dripctl("rule list --as-set").out).exit_code, 0);
  const v1::RuleSet rule_set = asked<v1::SetRulesRequest>().rule_set();
  ASSERT_EQ(rule_set.rules_size(), 2);
  const v1::ListRulesResponse expected = two_rules();
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(rule_set.rules(i).DebugString(), expected.rules(i).rule().DebugString());
  }
  EXPECT_EQ(rule_set.default_bucket_id(), "old");
  EXPECT_TRUE(rule_set.has_protect_control_traffic());
  EXPECT_FALSE(rule_set.protect_control_traffic());
}

TEST_F(DripctlRuleTest, AnEmptyNameIsNoDefault) {
  std::vector<std::string> command = words("rule default");
  command.emplace_back();
  const Outcome outcome = Process(command, {}, {{"DRIPCTL_SERVER", server_.address()}}).wait();
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.err, HasSubstr("'' is not allowed; allowed: the name of a bucket, or pass"));
  EXPECT_EQ(server_->calls(), 0U);
}

TEST_F(DripctlRuleTest, DefaultKeepsAllElse) {
  server_->reply(two_rules());
  EXPECT_EQ(dripctl("rule default rest").exit_code, 0);
  EXPECT_EQ(dripctl("rule default pass").exit_code, 0);
  const auto requests = server_->asked<v1::SetRulesRequest>();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].rule_set().default_bucket_id(), "rest");
  EXPECT_EQ(requests[0].rule_set().rules_size(), 2);
  EXPECT_TRUE(requests[0].rule_set().has_protect_control_traffic());
  EXPECT_EQ(requests[1].rule_set().default_bucket_id(), "");
  for (const auto& request : requests) EXPECT_EQ(request.expected_revision(), 7U);
}

TEST_F(DripctlRuleTest, DefaultIsTriedAgainWhenRulesChangeMeanwhile) {
  v1::ListRulesResponse list = two_rules();
  server_->reply(list);
  list.set_revision(8);
  list.mutable_rules()->RemoveLast();
  server_->reply(list);
  server_->fail_next<v1::SetRulesRequest>({grpc::StatusCode::ABORTED, "expected_revision: ..."});
  EXPECT_EQ(dripctl("rule default rest").exit_code, 0);
  const auto requests = server_->asked<v1::SetRulesRequest>();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].expected_revision(), 7U);
  EXPECT_EQ(requests[1].expected_revision(), 8U);
  EXPECT_EQ(requests[1].rule_set().rules_size(), 1);
  // Not for ever, and not for another reason.
  server_->fail({grpc::StatusCode::FAILED_PRECONDITION, "because of this"});
  EXPECT_EQ(dripctl("rule default rest").exit_code, 5);
  EXPECT_EQ(server_->asked<v1::SetRulesRequest>().size(), 2U);
}

TEST_F(DripctlRuleTest, SetSendsTheRevisionThatItIsFor) {
  EXPECT_EQ(dripctl("rule set - --if-revision 7", kSetInJson).exit_code, 0);
  EXPECT_EQ(asked<v1::SetRulesRequest>().expected_revision(), 7U);
  EXPECT_EQ(dripctl("rule set - --if-revision x", kSetInJson).exit_code, 2);
}

TEST_F(DripctlRuleTest, Deletes) {
  v1::DeleteRuleResponse reply;
  reply.set_revision(8);
  server_->reply(reply);
  EXPECT_EQ(dripctl("rule delete web").out, "rule web deleted, revision 8\n");
  EXPECT_EQ(asked<v1::DeleteRuleRequest>().rule_id(), "web");
}

}  // namespace
}  // namespace drip
