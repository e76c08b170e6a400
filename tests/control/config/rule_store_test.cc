// SPDX-License-Identifier: BSD-3-Clause
// Rules become a snapshot and per-flow rules of the engine, or nothing changes; hits are kept.
#include "control/config/rule_store.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configuration_fixture.h"
#include "control/config/rule_warnings.h"

namespace drip::control {
namespace {

TEST_F(ConfigurationTest, RulesBecomeASnapshot) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1",
                         "bucket_id: 'd' capacity: 1 leak_rate: 1"})
                  .ok());
  ASSERT_TRUE(set_rules("rules { rule_id: 'x' bucket_id: 'a' match { ingress_port: 'wan' } } "
                        "rules { rule_id: 'y' drop: true } rules { rule_id: 'z' pass: true } "
                        "rules { rule_id: 'w' bucket_id: 'a' } "
                        "default_bucket_id: 'd' protect_control_traffic: false")
                  .ok());
  const auto rules = engine_.rules();
  ASSERT_EQ(rules->actions.size(), 4U);
  EXPECT_EQ(rules->actions[0].kind, RuleAction::Kind::kBucket);
  EXPECT_EQ(rules->actions[0].bucket, buckets_.find("a")->ref());
  EXPECT_EQ(rules->actions[1].kind, RuleAction::Kind::kDrop);
  EXPECT_EQ(rules->actions[2].kind, RuleAction::Kind::kPass);
  EXPECT_EQ(rules->fallback.bucket, buckets_.find("d")->ref());
  EXPECT_EQ(rules->control_protocols, ControlProtocols::none());
  EXPECT_EQ(engine_.packet_buckets().size(), 2U) << "each bucket once";
  EXPECT_EQ(revision(), 1U);
}

TEST_F(ConfigurationTest, RulesWithNamesThatDoNotExistAreAnError) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(set_rule("rule_id: 'x' bucket_id: 'a'").ok());
  const int swaps = engine_.swaps;
  const absl::Status bucket =
      set_rules("rules { rule_id: 'x' pass: true } rules { rule_id: 'y' bucket_id: 'no' }");
  EXPECT_EQ(bucket.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message_of(bucket), "rule_set.rules[1].bucket_id: no bucket is named \"no\"");
  EXPECT_EQ(message_of(set_rules("default_bucket_id: 'no'")),
            "rule_set.default_bucket_id: no bucket is named \"no\"");
  const absl::Status port = set_rule("rule_id: 'y' match { ingress_port: 'eth0' } pass: true");
  EXPECT_EQ(port.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message_of(port), "rule.match.ingress_port: no port is named \"eth0\"");
  EXPECT_EQ(message_of(configuration_.delete_rule("no").status()),
            "rule_id: no rule is named \"no\"");
  EXPECT_EQ(engine_.swaps, swaps);
  EXPECT_EQ(rule_order(), std::vector<std::string>{"x"});
  EXPECT_EQ(revision(), 1U);
}

TEST_F(ConfigurationTest, RulesAreListedInTheOrderInWhichTheyAreTried) {
  ASSERT_TRUE(set_rules("rules { rule_id: 'a' priority: 1 pass: true } "
                        "rules { rule_id: 'b' priority: 5 pass: true } "
                        "rules { rule_id: 'c' priority: 1 pass: true }")
                  .ok());
  ASSERT_TRUE(set_rule("rule_id: 'd' priority: 5 drop: true").ok());
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"b", "d", "a", "c"}));
  ASSERT_TRUE(set_rule("rule_id: 'a' priority: 9 drop: true").ok());
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"a", "b", "d", "c"}));
  ASSERT_TRUE(configuration_.delete_rule("b").ok());
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"a", "d", "c"}));
}

TEST_F(ConfigurationTest, ARuleThatKeepsItsIdKeepsItsHits) {
  ASSERT_TRUE(
      set_rules("rules { rule_id: 'a' pass: true } rules { rule_id: 'b' pass: true }").ok());
  engine_.count_hits(0, 0, 10, 1000);
  engine_.count_hits(1, 0, 5, 500);
  engine_.count_hits(0, 1, 7, 700);
  const auto snapshot = engine_.rules();
  engine_.count_hits(0, snapshot->fallback_index(), 2, 200);
  engine_.count_hits(0, snapshot->fallback_index(PacketKind::kTunnel), 1, 100);
  engine_.count_hits(1, snapshot->protected_index(), 2, 200);
  EXPECT_EQ(hits("a").packets, 15U);
  EXPECT_EQ(hits("a").bytes, 1500U);
  ASSERT_TRUE(
      set_rules("rules { rule_id: 'c' pass: true } rules { rule_id: 'a' drop: true }").ok());
  EXPECT_EQ(hits("a").packets, 15U);
  EXPECT_EQ(hits("c").packets, 0U);
  engine_.count_hits(0, 1, 1, 100);
  ASSERT_TRUE(set_rule("rule_id: 'b' pass: true").ok());
  EXPECT_EQ(hits("a").packets, 16U);
  EXPECT_EQ(hits("a").bytes, 1600U);
  EXPECT_EQ(hits("b").packets, 0U) << "not the same rule: it was deleted in between";
  configuration_.with_rules([](const RuleStore& rules) {
    EXPECT_EQ(rules.default_hits().packets, 3U);
    EXPECT_EQ(rules.default_hits(PacketKind::kTunnel).packets, 1U);
    EXPECT_EQ(rules.default_hits(PacketKind::kOther).packets, 0U);
    EXPECT_EQ(rules.protected_hits().packets, 2U);
  });
}

TEST_F(ConfigurationTest, AFailedSwapChangesNothing) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(
      set_rules(std::string("rules { ") + kFlowRule + " } rules { rule_id: 'x' pass: true }").ok());
  const auto sets = engine_.flow_rules();
  const auto snapshot = engine_.rules();
  engine_.count_hits(0, 1, 4, 400);
  engine_.fail_swap = absl::ResourceExhaustedError("4096 mbufs, 12 are free");
  // Changes f's rate, adds a second per-flow rule, and removes x.
  const absl::Status status = set_rules(
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 9 } } }"
      "rules { rule_id: 'g' per_flow { key: 1 max_flows: 5 bucket { capacity: 1 leak_rate: 1 } } }"
      "rules { rule_id: 'y' bucket_id: 'a' }");
  EXPECT_EQ(status, engine_.fail_swap);
  EXPECT_EQ(engine_.rules(), snapshot);
  ASSERT_EQ(engine_.flow_rules().size(), 1U);
  EXPECT_EQ(engine_.flow_rules().begin()->first, sets.begin()->first);
  EXPECT_EQ(engine_.flow_rules().begin()->second.bucket.units_per_second, 1);
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"f", "x"}));
  EXPECT_EQ(hits("x").packets, 4U);
  EXPECT_EQ(revision(), 1U);
  engine_.fail_swap = absl::OkStatus();
  EXPECT_TRUE(configuration_.delete_bucket("a", true).ok()) << "y is not there";
}

TEST_F(ConfigurationTest, AFailedFlowRuleChangesNothing) {
  ASSERT_TRUE(set_rule(kFlowRule).ok());
  engine_.fail_create_flow_rule = absl::ResourceExhaustedError("1 GiB");
  const absl::Status made = set_rules(
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 9 } } }"
      "rules { rule_id: 'g' per_flow { key: 1 max_flows: 5 bucket { capacity: 1 leak_rate: 1 } } "
      "}");
  EXPECT_EQ(made.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(message_of(made), "rule_set.rules[1].per_flow: 1 GiB");
  EXPECT_EQ(engine_.flow_rules().begin()->second.bucket.units_per_second, 1);
  engine_.fail_create_flow_rule = absl::OkStatus();
  engine_.fail_change_flow_rule = absl::ResourceExhaustedError("2 GiB");
  const absl::Status changed = set_rules(
      "rules { rule_id: 'g' per_flow { key: 1 max_flows: 5 bucket { capacity: 1 leak_rate: 1 } } }"
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 9 } } "
      "}");
  EXPECT_EQ(message_of(changed), "rule_set.rules[1].per_flow: 2 GiB");
  EXPECT_EQ(engine_.flow_rules().size(), 1U) << "g's was created and removed again";
}

TEST_F(ConfigurationTest, FlowRulesStayWithTheirIdOrTheirMatch) {
  ASSERT_TRUE(set_rule(kFlowRule).ok());
  const std::uint32_t first = engine_.flow_rules().begin()->first;
  ASSERT_TRUE(set_rule("rule_id: 'f' priority: 7 match { dscp: 5 } per_flow { key: 2 max_flows: 10 "
                       "bucket { capacity: 3 leak_rate: 1 } idle_timeout_ms: 500 }")
                  .ok());
  ASSERT_EQ(engine_.flow_rules().size(), 1U);
  EXPECT_EQ(engine_.flow_rules().begin()->first, first);
  EXPECT_EQ(engine_.flow_rules().begin()->second.bucket.capacity, 3U);
  EXPECT_EQ(engine_.flow_rules().begin()->second.idle_timeout.ns, 500'000'000);
  EXPECT_EQ(engine_.rules()->actions[0].flow_rule, first);

  ASSERT_TRUE(set_rule("rule_id: 'f' per_flow { key: 2 max_flows: 11 "
                       "bucket { capacity: 3 leak_rate: 1 } }")
                  .ok());
  ASSERT_EQ(engine_.flow_rules().size(), 1U);
  EXPECT_EQ(engine_.flow_rules().begin()->first, first);
  EXPECT_EQ(engine_.flow_rules().begin()->second.max_flows, 11U);

  ASSERT_TRUE(set_rule("rule_id: 'f' per_flow { key: 3 max_flows: 11 "
                       "bucket { capacity: 3 leak_rate: 1 } }")
                  .ok());
  EXPECT_EQ(engine_.flow_rules().begin()->first, first);
  EXPECT_EQ(engine_.flow_rules().begin()->second.key.kind, FlowKeyKind::kDestination);
  EXPECT_EQ(engine_.rules()->flow_paths.at(first).key.kind, FlowKeyKind::kDestination);

  ASSERT_TRUE(set_rules("rules { rule_id: 'g' per_flow { key: 3 max_flows: 12 "
                        "bucket { capacity: 3 leak_rate: 1 } } }")
                  .ok());
  ASSERT_EQ(engine_.flow_rules().size(), 1U);
  EXPECT_EQ(engine_.flow_rules().begin()->first, first) << "renamed";

  // A rule that is still there keeps its flows, and another one begins without.
  ASSERT_TRUE(set_rules("rules { rule_id: 'h' per_flow { key: 3 max_flows: 12 "
                        "bucket { capacity: 3 leak_rate: 1 } } }"
                        "rules { rule_id: 'g' per_flow { key: 3 max_flows: 12 "
                        "bucket { capacity: 3 leak_rate: 1 } } }")
                  .ok());
  ASSERT_EQ(engine_.flow_rules().size(), 2U);
  EXPECT_EQ(engine_.rules()->actions[1].flow_rule, first);
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_TRUE(engine_.flow_rules().empty());
}

// ---- Several prefixes, and lists

TEST_F(ConfigurationTest, ARuleWithSeveralPrefixesIsOneRule) {
  ASSERT_TRUE(set_rules("address_lists { name: 'l' prefixes: '192.0.2.0/24' } rules { rule_id: 'a' "
                        "drop: true match { src_prefixes: '10.0.0.0/8' src_prefixes: "
                        "'2001:db8::/32' src_list: 'l' } } rules { rule_id: 'b' pass: true }")
                  .ok());
  const auto rules = engine_.rules();
  ASSERT_EQ(rules->actions.size(), 2U);
  const auto rule_of = [&](const char* from) {
    Headers headers;
    const IpPrefix prefix = *IpPrefix::parse(from);
    headers.ip_version = prefix.version();
    headers.src_address = prefix.address();
    return rules->classifier.classify(headers, 0);
  };
  EXPECT_EQ(rule_of("10.1.2.3"), 0U);
  EXPECT_EQ(rule_of("2001:db8::1"), 0U);
  EXPECT_EQ(rule_of("192.0.2.9"), 0U);
  EXPECT_EQ(rule_of("192.0.3.9"), 1U);
}

TEST_F(ConfigurationTest, AListThatThereIsNotIsAnErrorAndAnEmptyOneMatchesNothing) {
  const absl::Status status = set_rule("rule_id: 'a' drop: true match { dst_list: 'l' }");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message_of(status), "rule.match.dst_list: no address list is named \"l\"");
  ASSERT_TRUE(set_rules("address_lists { name: 'l' } rules { rule_id: 'a' drop: true match { "
                        "dst_list: 'l' } }")
                  .ok());
  Headers headers;
  headers.ip_version = IpVersion::kV4;
  EXPECT_EQ(engine_.rules()->classifier.classify(headers, 0), kNoRule);
}

TEST_F(ConfigurationTest, AListMayHaveAHundredThousandNetworksOfBothVersions) {
  std::string list = "address_lists { name: 'l' ";
  const auto prefix = [](int i) {
    return i % 2 == 0 ? joined("10.", i >> 16, ".", i >> 8 & 255, ".", i & 255, "/32")
                      : joined("2001:db8:", i / 5000, ":", i % 5000, "::/64");
  };
  constexpr int kNetworks = 100'000;
  for (int i = 0; i < kNetworks; ++i) list += joined("prefixes: '", prefix(i), "' ");
  const absl::Status status =
      set_rules(list + "} rules { rule_id: 'a' drop: true match { src_list: 'l' } }");
  ASSERT_TRUE(status.ok()) << status;
  const auto rules = engine_.rules();
  const auto rule_of = [&](const std::string& text) {
    const IpPrefix one = *IpPrefix::parse(text);
    Headers headers;
    headers.ip_version = one.version();
    headers.src_address = one.address();
    return rules->classifier.classify(headers, 0);
  };
  for (int i = 0; i < kNetworks; i += 997) ASSERT_EQ(rule_of(prefix(i)), 0U) << prefix(i);
  EXPECT_EQ(rule_of("10.0.0.1"), kNoRule);
  EXPECT_EQ(rule_of("2001:db8:9::"), kNoRule);
}

// ---- Warnings

class RuleWarningsTest : public ConfigurationTest {
 protected:
  static constexpr std::uint32_t kLongest = 1514;

  static std::vector<std::string> warnings(const std::string& rules) {
    const RuleSetSpec set = rule_set(rules);
    std::vector<std::string> all;
    for (const auto& of_rule : warnings_of_rules(set, kLongest)) {
      all.insert(all.end(), of_rule.begin(), of_rule.end());
    }
    std::vector<std::string> one_by_one;
    for (std::size_t index = 0; index < set.rules.size(); ++index) {
      for (std::string& warning : warnings_of_rule(set, index, kLongest)) {
        one_by_one.push_back(std::move(warning));
      }
    }
    EXPECT_EQ(all, one_by_one);
    return all;
  }
};

TEST_F(RuleWarningsTest, ARuleThatAnEarlierOneHidesWholly) {
  const std::string first = "rules { rule_id: 'first' drop: true match { ";
  const std::string second = "} } rules { rule_id: 'second' pass: true match { ";
  const std::vector<std::string> hidden = {
      "hidden: every packet that it matches is matched by first, which is tried first"};
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", "ip_protocol: 6"},
      {"src_prefix: '10.0.0.0/8'", "src_prefix: '10.1.0.0/16' dscp: 5"},
      {"src_prefixes: '10.0.0.0/8' src_prefixes: '2001:db8::/32'",
       "src_prefixes: '10.1.0.0/16' src_prefixes: '2001:db8:1::/48'"},
      {"dst_port { first: 1 last: 99 }", "dst_port { first: 5 last: 6 } ip_protocol: 6"},
      {"tcp_flags: 2", "tcp_flags: 2 tcp_flags_mask: 18"},
      {"src_mac: '02:00:00:00:00:00/24'", "src_mac: '02:00:00:00:00:01'"},
      {"ingress_port: 'lan'", "ingress_port: 'lan' vlan_id: 5"},
      {"inner: true", "inner: true dscp: 5"},
  };
  const std::string end = "} } default_bucket_id: 'rest'";
  for (const auto& [outer, inner] : table) {
    EXPECT_EQ(warnings(first + outer + second + inner + end), hidden) << outer;
    EXPECT_TRUE(warnings(first + inner + second + outer + end).empty()) << outer;
  }
  // In the order in which they are tried, not in that of the set.
  EXPECT_TRUE(warnings("rules { rule_id: 'a' pass: true } rules { rule_id: 'b' priority: 1 pass: "
                       "true match { dscp: 1 } }")
                  .empty());
  EXPECT_TRUE(warnings(first + "inner: true" + second + "dscp: 5 } }").empty());
}

TEST_F(RuleWarningsTest, FragmentsThatPassBesideARuleWithPorts) {
  const std::string web =
      "rules { rule_id: 'web' drop: true match { ip_protocol: 6 dst_port { first: 80 last: 80 } } "
      "} ";
  EXPECT_EQ(warnings(web),
            std::vector<std::string>{"fragments match no ports: those of its packets "
                                     "pass unshaped by the default"});
  EXPECT_TRUE(warnings(web + "default_bucket_id: 'rest'").empty());
  EXPECT_TRUE(
      warnings(web + "rules { rule_id: 'tcp' drop: true match { ip_protocol: 6 } }").empty());
  EXPECT_EQ(warnings(web + "rules { rule_id: 'tcp' pass: true match { ip_protocol: 6 } } "
                           "default_bucket_id: 'rest'"),
            std::vector<std::string>{
                "fragments match no ports: those of its packets pass unshaped by tcp"});
}

TEST_F(RuleWarningsTest, ACapacityThatNoLongFrameFits) {
  const std::string flow =
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 1 bucket { capacity: 9 leak_rate: 1 ";
  EXPECT_EQ(warnings(flow + "capacity_bytes: 1513 } } }"),
            std::vector<std::string>{"capacity_bytes 1513: the longest frame of the ports, 1514 "
                                     "wire bytes, never fits, not even into the empty bucket"});
  EXPECT_TRUE(warnings(flow + "capacity_bytes: 1514 } } }").empty());
  EXPECT_EQ(warnings(flow + "capacity_bytes: 1514 overhead_bytes: 24 } } }").size(), 1U);
  BucketSettings settings;
  settings.capacity_bytes = 10;
  EXPECT_TRUE(warnings_of_bucket(settings, 0).empty()) << "a node without ports";
  EXPECT_EQ(longest_frame_of(engine_), 0U);
  engine_.port_stats[1].mtu = 9000;
  EXPECT_EQ(longest_frame_of(engine_), 9014U);
}

TEST_F(RuleWarningsTest, AreKeptUntilTheRulesChange) {
  ASSERT_TRUE(
      set_rules("rules { rule_id: 'a' pass: true } rules { rule_id: 'b' drop: true }").ok());
  configuration_.with_rules([](const RuleStore& rules) {
    EXPECT_EQ(rules.list()[1].warnings.size(), 1U);
    EXPECT_TRUE(rules.warnings_of("a").empty());
  });
  ASSERT_TRUE(configuration_.delete_rule("a").ok());
  configuration_.with_rules(
      [](const RuleStore& rules) { EXPECT_TRUE(rules.list()[0].warnings.empty()); });
}

TEST_F(ConfigurationTest, ProtectedProtocolsAreThoseOfTheRuleSet) {
  ASSERT_TRUE(set_rules("control_protocols: ['-dhcp', '-arp']").ok());
  ControlProtocols protocols = ControlProtocols::all();
  protocols.remove(ControlProtocol::kDhcp);
  protocols.remove(ControlProtocol::kArp);
  EXPECT_EQ(engine_.rules()->control_protocols, protocols);
  ASSERT_TRUE(set_rule("rule_id: 'x' pass: true").ok());
  EXPECT_EQ(engine_.rules()->control_protocols, protocols) << "another rule changes nothing";
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_EQ(engine_.rules()->control_protocols, ControlProtocols::all());
}

// What becomes of packets of flows beyond max_flows.
class OverflowTest : public ConfigurationTest {
 protected:
  absl::Status set_with(const std::string& fields, double rate = 1) {
    return set_rule(joined("rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 4 ",
                           "leak_rate: ", rate, " } ", fields, " }"));
  }
  RuleAction overflow() const {
    const auto rules = engine_.rules();
    return rules->flow_paths.at(rules->actions.at(0).flow_rule).overflow;
  }
};

TEST_F(OverflowTest, IsOneBucketOfTheTemplateUnlessTheRuleSaysOtherwise) {
  ASSERT_TRUE(set_with("").ok());
  ASSERT_EQ(overflow().kind, RuleAction::Kind::kBucket);
  const BucketRef bucket = overflow().bucket;
  EXPECT_EQ(engine_.packet_buckets(), std::vector{bucket}) << "its packet buffers are reserved";
  EXPECT_EQ(engine_.read(bucket).periods, ServicePeriods::of_rates(1, 0));
  // It changes with the template, and stays the same bucket.
  ASSERT_TRUE(set_with("", 2).ok());
  EXPECT_EQ(overflow().bucket, bucket);
  EXPECT_EQ(engine_.read(bucket).periods, ServicePeriods::of_rates(2, 0));
  // It ends with the rule, or when it is not wanted any more.
  ASSERT_TRUE(set_with("overflow: FLOW_OVERFLOW_DROP").ok());
  EXPECT_EQ(overflow().kind, RuleAction::Kind::kDrop);
  EXPECT_EQ(engine_.buckets(), 0U);
  ASSERT_TRUE(set_with("overflow: FLOW_OVERFLOW_SHARED").ok());
  EXPECT_EQ(engine_.buckets(), 1U);
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_EQ(engine_.buckets(), 0U);
}

TEST_F(OverflowTest, PassesOrGoesToTheDefaultOnRequest) {
  ASSERT_TRUE(configure({"bucket_id: 'd' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(set_rules("default_bucket_id: 'd'").ok());
  ASSERT_TRUE(set_with("overflow: FLOW_OVERFLOW_PASS").ok());
  EXPECT_EQ(overflow().kind, RuleAction::Kind::kPass);
  ASSERT_TRUE(set_with("overflow: FLOW_OVERFLOW_DEFAULT").ok());
  EXPECT_EQ(overflow().bucket, buckets_.find("d")->ref());
}

TEST_F(OverflowTest, AFailedChangeLeavesNoBucket) {
  engine_.fail_swap = absl::ResourceExhaustedError("4096 mbufs, 12 are free");
  EXPECT_FALSE(set_with("").ok());
  EXPECT_EQ(engine_.buckets(), 0U);
  engine_.fail_swap = absl::OkStatus();
  ASSERT_TRUE(set_with("").ok());
  engine_.fail_swap = absl::ResourceExhaustedError("4096 mbufs, 12 are free");
  EXPECT_FALSE(set_with("", 2).ok());
  EXPECT_EQ(engine_.read(overflow().bucket).periods, ServicePeriods::of_rates(1, 0));
}

TEST_F(OverflowTest, RefusedFlowsAreAWarningForAMinute) {
  ASSERT_TRUE(set_with("overflow: FLOW_OVERFLOW_PASS").ok());
  const auto warnings = [&] {
    std::vector<std::string> result;
    configuration_.with_rules([&](const RuleStore& rules) {
      result = warnings_of_refused_flows(rules.list(), engine_.now());
    });
    return result;
  };
  engine_.last_refused = engine_.now();
  EXPECT_EQ(warnings(), std::vector<std::string>{"rule f: packets of flows beyond max_flows 10 "
                                                 "pass unshaped: 7 so far"});
  engine_.advance(Duration{60'000'000'001});
  EXPECT_TRUE(warnings().empty());
}

}  // namespace
}  // namespace drip::control
