// SPDX-License-Identifier: BSD-3-Clause
// Messages of rules: the text of every error, and writing.
#include "control/convert/convert_rule.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/text.h"
#include "control/convert/convert_page.h"
#include "control/support/messages.h"

namespace drip::control {
namespace {

struct BadRule {
  std::string fields;
  std::string message;  // Of the whole, or its begin if it ends with "...".
};

void expect_message(const absl::Status& status, const std::string& wanted,
                    const std::string& input) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << input;
  const std::string got(message_of(status));
  if (wanted.ends_with("...")) {
    EXPECT_EQ(got.substr(0, wanted.size() - 3), wanted.substr(0, wanted.size() - 3)) << input;
  } else {
    EXPECT_EQ(got, wanted) << input;
  }
}

TEST(ReadRule, ErrorsNameFieldValueAndRange) {
  const std::string flow = "rule_id: 'r' per_flow { bucket { capacity: 1 leak_rate: 1 } ";
  const std::string to = "rule_id: 'r' bucket_id: 'b' match { ";
  const std::vector<BadRule> table = {
      {"rule_id: '!' pass: true", "rule.rule_id: \"!\" is not allowed: 1 to 128 of ..."},
      {"rule_id: 'r'", "rule.action: missing: one of bucket_id, per_flow, pass, drop"},
      {"rule_id: 'r' pass: false", "rule.pass: false is not allowed: true"},
      {"rule_id: 'r' drop: false", "rule.drop: false is not allowed: true"},
      {"rule_id: 'r' bucket_id: ''", "rule.bucket_id: \"\" is not allowed: 1 to 128 of ..."},
      {to + "src_prefix: '10.0.0.1/8' }",
       "rule.match.src_prefix: '10.0.0.1/8' is not a network..."},
      {to + "dst_prefix: '" + std::string(65, '1') + "' }",
       "rule.match.dst_prefix: \"" + std::string(40, '1') +
           "...\" (65 bytes) is not allowed: an IPv4 or IPv6 prefix such as 192.0.2.0/24"},
      {to + "ip_protocol: 256 }", "rule.match.ip_protocol: 256 is not allowed: 0 to 255"},
      {to + "src_port { first: 5 last: 4 } }",
       "rule.match.src_port: 5 to 4 is not allowed: first to last, both 0 to 65535 and first not "
       "above last"},
      {to + "dst_port { first: 5 last: 65536 } }",
       "rule.match.dst_port: 5 to 65536 is not allowed: first to last, ..."},
      {to + "vlan_id: 4096 }", "rule.match.vlan_id: 4096 is not allowed: 0 to 4095"},
      {to + "inner_vlan_id: 4096 }", "rule.match.inner_vlan_id: 4096 is not allowed: 0 to 4095"},
      {to + "dscp: 64 }", "rule.match.dscp: 64 is not allowed: 0 to 63"},
      {to + "ether_type: 1535 }", "rule.match.ether_type: 1535 is not allowed: 1536 to 65535"},
      {to + "src_prefix: '10.0.0.0/8' dst_prefix: '2001:db8::/32' }", "rule.match...."},
      {flow + "max_flows: 1 }",
       "rule.per_flow.key: missing: FLOW_KEY_FIVE_TUPLE (1), FLOW_KEY_SOURCE (2), ..."},
      {flow + "key: 1 }", "rule.per_flow.max_flows: 0 is not allowed: 1 to 1048576 flows"},
      {flow + "key: 1 max_flows: 1048577 }",
       "rule.per_flow.max_flows: 1048577 is not allowed: 1 to 1048576 flows"},
      {flow + "key: 2 max_flows: 1 ipv4_prefix_length: 33 }",
       "rule.per_flow.ipv4_prefix_length: 33 is not allowed: 0 to 32 bits"},
      {flow + "key: 3 max_flows: 1 ipv6_prefix_length: 129 }",
       "rule.per_flow.ipv6_prefix_length: 129 is not allowed: 0 to 128 bits"},
      {flow + "key: 1 max_flows: 1 ipv4_prefix_length: 24 }",
       "rule.per_flow.ipv4_prefix_length: 24 is not allowed: only with FLOW_KEY_SOURCE and "
       "FLOW_KEY_DESTINATION"},
      {flow + "key: 6 max_flows: 1 }",
       "rule.per_flow.by_vlan: missing: with FLOW_KEY_LINK one of by_vlan, ..."},
      {flow + "key: 4 inner: true max_flows: 1 }",
       "rule.per_flow.inner: true is not allowed: only with FLOW_KEY_FIVE_TUPLE, ..."},
      {to + "icmp_type: 256 }", "rule.match.icmp_type: 256 is not allowed: 0 to 255"},
      {to + "icmp_code: 1 }", "rule.match.icmp_code: 1 without a type is not allowed; ..."},
      {to + "tcp_flags: 0 }", "rule.match.tcp_flags_mask: 0 is not allowed: 1 to 255"},
      {to + "tcp_flags: 256 }", "rule.match.tcp_flags: 256 is not allowed: 0 to 255"},
      {to + "tcp_flags: 3 tcp_flags_mask: 1 }", "rule.match.tcp_flags_mask: 1 is not allowed; ..."},
      {to + "src_mac: '02:00:00:00:00' }",
       "rule.match.src_mac: \"02:00:00:00:00\" is not allowed: a MAC address such as ..."},
      {to + "src_mac: '02:00:00:00:00:01/24' }", "rule.match.src_mac: ..."},
      {to + "dst_mac: '02:00:00:00:00:0g' }", "rule.match.dst_mac: ..."},
      {to + "dst_mac: '02:00:00:00:00:00/49' }", "rule.match.dst_mac: ..."},
      {to + "src_prefixes: '10.0.0.0/8' src_prefixes: '10.0.0.1/8' }",
       "rule.match.src_prefixes[1]: '10.0.0.1/8' is not a network..."},
      {to + "dst_list: '?' }", "rule.match.dst_list: \"?\" is not allowed: ..."},
      {to + "src_prefixes: '10.0.0.0/8' dst_prefixes: '2001:db8::/32' }",
       "rule.match.dst_prefix: 2001:db8::/32 is not allowed; ..."},
      {flow + "key: 1 max_flows: 1 idle_timeout_ms: 99 }",
       "rule.per_flow.idle_timeout_ms: 99 is not allowed: 100 to 86400000 ms"},
      {"rule_id: 'r' per_flow { key: 1 max_flows: 1 bucket { leak_rate: 1 } }",
       "rule.per_flow.bucket.capacity: missing: a new bucket needs 1 to 1048576 units"},
      {"rule_id: 'r' per_flow { key: 1 max_flows: 1 bucket { capacity: 1 leak_rate: nan } }",
       "rule.per_flow.bucket.leak_rate: nan is not allowed: ..."},
  };
  for (const BadRule& bad : table) {
    expect_message(read_rule(message<v1::Rule>(bad.fields), "rule.").status(), bad.message,
                   bad.fields);
  }
  v1::Rule rule = message<v1::Rule>(flow + "max_flows: 1 }");
  rule.mutable_per_flow()->set_key(static_cast<v1::FlowKey>(9));
  expect_message(read_rule(rule, "rule.").status(), "rule.per_flow.key: 9 is not allowed: ...", "");
}

TEST(ReadRuleSet, ErrorsNameTheRuleAndAnIdThatIsThereTwice) {
  const auto twice = message<v1::RuleSet>(
      "rules { rule_id: 'a' pass: true } rules { rule_id: 'b' drop: true } "
      "rules { rule_id: 'a' drop: true }");
  expect_message(read_rule_set(twice, "rule_set.").status(),
                 "rule_set.rules[2].rule_id: \"a\" is not allowed: each id once, and rules[0] has "
                 "it",
                 "");
  expect_message(
      read_rule_set(message<v1::RuleSet>("default_bucket_id: ' '"), "rule_set.").status(),
      "rule_set.default_bucket_id: \" \" is not allowed: ...", "");
}

TEST(ReadRuleSet, ListsAreSortedAndEachPrefixIsThereOnce) {
  const auto set = read_rule_set(
      message<v1::RuleSet>("address_lists { name: 'l' prefixes: '2001:db8::/32' prefixes: "
                           "'10.0.0.0/8' prefixes: '10.0.0.0/8' prefixes: '9.9.9.9' }"),
      "rule_set.");
  ASSERT_TRUE(set.ok()) << set.status();
  const std::vector<IpPrefix>& list = *set->lists.at("l");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].to_text(), "9.9.9.9/32");
  EXPECT_EQ(list[2].to_text(), "2001:db8::/32");
  const auto refused = [](const std::string& text, const std::string& wanted) {
    expect_message(read_rule_set(message<v1::RuleSet>(text), "rule_set.").status(), wanted, text);
  };
  refused("address_lists { name: 'l' prefixes: '10.0.0.0/8' prefixes: 'x' }",
          "rule_set.address_lists[0].prefixes[1]: 'x' ...");
  refused("address_lists { name: 'l' } address_lists { name: 'l' }",
          "rule_set.address_lists[1].name: \"l\" is not allowed: each name once");
  refused("address_lists { }", "rule_set.address_lists[0].name: \"\" is not allowed: ...");
  refused("control_protocols: 'arp' control_protocols: 'dns'",
          "rule_set.control_protocols[1]: \"dns\" is not allowed: none, or a name, ...");
}

TEST(ReadRuleSet, ProtectsControlTrafficByDefault) {
  EXPECT_TRUE(read_rule_set(v1::RuleSet(), "")->protect_control_traffic);
  EXPECT_FALSE(read_rule_set(message<v1::RuleSet>("protect_control_traffic: false"), "")
                   ->protect_control_traffic);
}

TEST(WriteRule, GivesBackWhatWasRead) {
  for (const char* fields :
       {"rule_id: 'r' match {} pass: true", "rule_id: 'r' priority: -5 match {} drop: true",
        "rule_id: 'r' bucket_id: 'b' match { src_prefix: '10.0.0.0/8' dst_prefix: '192.0.2.1/32' "
        "ip_protocol: 17 src_port { first: 1 last: 2 } dst_port { first: 53 last: 53 } "
        "vlan_id: 0 inner_vlan_id: 4095 dscp: 46 ingress_port: 'wan' ether_type: 2048 }",
        "rule_id: 'r' bucket_id: 'b' match { src_prefix: '2001:db8::/32' ip_protocol: 0 }",
        "rule_id: 'r' pass: true match { icmp_type: 3 icmp_code: 4 src_mac: '02:00:00:00:00:01' "
        "dst_mac: '02:00:00:00:00:00/24' inner: true }",
        "rule_id: 'r' pass: true match { tcp_flags: 2 tcp_flags_mask: 18 src_prefixes: "
        "'10.0.0.0/8' src_prefixes: '2001:db8::/32' src_list: 'a' dst_list: 'b' }",
        "rule_id: 'r' match {} per_flow { key: 6 max_flows: 9 idle_timeout_ms: 100 bucket { "
        "capacity: 1 leak_rate: 1 leak_rate_bps: 0 capacity_bytes: 0 overhead_bytes: 0 "
        "min_frame_bytes: 0 departure: 2 max_catchup_ns: 100000000 } overflow: 1 by_vlan: true "
        "by_inner_vlan: true by_ingress_port: true }",
        "rule_id: 'r' match {} per_flow { key: 2 ipv4_prefix_length: 24 ipv6_prefix_length: 0 "
        "max_flows: 9 idle_timeout_ms: 100 bucket { capacity: 1 leak_rate: 1 leak_rate_bps: 0 "
        "capacity_bytes: 0 overhead_bytes: 0 min_frame_bytes: 0 departure: 2 "
        "max_catchup_ns: 100000000 } overflow: FLOW_OVERFLOW_DEFAULT }"}) {
    const auto rule = message<v1::Rule>(fields);
    const auto spec = read_rule(rule, "rule.");
    ASSERT_TRUE(spec.ok()) << spec.status();
    v1::Rule written;
    write_rule(*spec, written);
    EXPECT_EQ(written.DebugString(), rule.DebugString());
  }
}

TEST(ReadPage, SizesAndTokens) {
  EXPECT_EQ(*read_page_size(0), 100U);
  EXPECT_EQ(*read_page_size(1000), 1000U);
  expect_message(read_page_size(1001).status(),
                 "page_size: 1001 is not allowed: 1 to 1000, or 0 for 100", "");
  EXPECT_EQ(*read_id_token(id_token("a/b")), "a/b");
  EXPECT_EQ(*read_id_token(""), "");
  expect_message(read_id_token("zz").status(),
                 "page_token: \"zz\" is not allowed: the next_page_token of the page before", "");
  EXPECT_FALSE(read_id_token(">" + std::string(1000, 'a')).ok());
  EXPECT_EQ(*read_sequence_token(sequence_token(~0ULL)), ~0ULL);
  EXPECT_EQ(*read_sequence_token(""), 0U);
  for (const char* bad : {"@", "@x", "5", "@5x", "@-1", "@99999999999999999999"}) {
    EXPECT_FALSE(read_sequence_token(bad).ok()) << bad;
  }
  EXPECT_FALSE(
      read_filter(message<v1::BucketFilter>("id_prefix: '" + std::string(400, 'a') + "'")).ok());
}

TEST(ReadRule, FlowsMayBeLeavesOfATree) {
  const auto read = [](const std::string& bucket) {
    return read_rule(message<v1::Rule>("rule_id: 'f' per_flow { key: 2 max_flows: 9 bucket { "
                                       "capacity: 1 leak_rate: 1 " +
                                       bucket + " } }"),
                     "");
  };
  const auto rule = read("parent_id: 'up' guarantee: 0.5 weight: 3 priority: 2 tolerance_ns: 5");
  ASSERT_TRUE(rule.ok()) << rule.status();
  const BucketPlace& place = rule->per_flow()->place;
  EXPECT_EQ(place.parent_id, "up");
  EXPECT_EQ(place.share.guaranteed_units_per_second, 0.5);
  EXPECT_EQ(place.share.weight, 3U);
  EXPECT_EQ(place.share.priority, 2U);
  EXPECT_EQ(place.share.tolerance.ns, 5);
  // And back.
  v1::Rule written;
  write_rule(*rule, written);
  EXPECT_EQ(read_rule(written, "")->per_flow()->place, place);
  EXPECT_EQ(message_of(read("inner: true").status()),
            "per_flow.bucket.inner: true is not allowed: false or unset, for a flow's bucket is a "
            "leaf");
  EXPECT_EQ(message_of(read("parent_id: ' '").status()).substr(0, 26),
            "per_flow.bucket.parent_id:");
}

}  // namespace
}  // namespace drip::control
