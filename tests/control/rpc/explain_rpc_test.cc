// SPDX-License-Identifier: BSD-3-Clause
// Explain over gRPC: rules in their order, reasons, buckets and what would happen there.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/support/node_fixture.h"
#include "support/frame_builder.h"

namespace drip::control {
namespace {

using Shaper = v1::ShaperService::Stub;

class ExplainRpc : public NodeFixture {
 protected:
  static Bytes tcp(std::uint16_t port, const std::string& to = "10.0.0.2") {
    return FrameBuilder()
        .ipv4({.protocol = 6, .dscp = 10, .dst = address(to)})
        .ports(5000, port)
        .raw(Bytes(40, 0))
        .build();
  }
  v1::ExplainResponse explain(const Bytes& frame) {
    v1::ExplainRequest request;
    request.set_frame(std::string(frame.begin(), frame.end()));
    grpc::ClientContext context;
    v1::ExplainResponse reply;
    status_ = shaper_->Explain(&context, request, &reply);
    return reply;
  }
  void set_rules(const std::string& rules) {
    call(*shaper_, &Shaper::SetRules, "rule_set { " + rules + " }");
    expect_ok();
  }
  static std::vector<std::string> verdicts(const v1::ExplainResponse& reply) {
    std::vector<std::string> texts;
    for (const v1::RuleVerdict& rule : reply.rules()) {
      texts.push_back(rule.rule_id() + ": " + rule.mismatch());
    }
    return texts;
  }
};

using Verdicts = std::vector<std::string>;

TEST_F(ExplainRpc, NamesTheRuleThatAppliesAndWhyNotThoseBefore) {
  configure("bucket_id: 'web' capacity: 10 leak_rate_bps: 1e6 overhead_bytes: 24");
  set_rules(
      "rules { rule_id: 'late' priority: -1 drop: true } "
      "rules { rule_id: 'voip' priority: 9 match { dscp: 46 } pass: true } "
      "rules { rule_id: 'many' priority: 5 match { src_prefixes: '192.0.2.0/24' src_prefixes: "
      "'198.51.100.0/24' } pass: true } "
      "rules { rule_id: 'web' match { ip_protocol: 6 dst_port { first: 443 last: 443 } } "
      "bucket_id: 'web' set_dscp: 8 }");
  const v1::ExplainResponse reply = explain(tcp(443));
  expect_ok();
  EXPECT_EQ(reply.flow(), "10.0.0.1:5000>10.0.0.2:443/tcp");
  EXPECT_EQ(reply.dscp(), 10U);
  EXPECT_FALSE(reply.has_vlan_id());
  EXPECT_EQ(verdicts(reply),
            (Verdicts{"voip: dscp: 10 is not 46",
                      "many: src_prefix: the address is in none of those of the rule", "web: "}));
  EXPECT_EQ(reply.rule_id(), "web");
  EXPECT_EQ(reply.bucket_id(), "web");
  EXPECT_EQ(reply.set_dscp(), 8U);
  EXPECT_EQ(reply.wire_bytes(), tcp(443).size() + 24);
  EXPECT_EQ(reply.reject_reason(), v1::REJECT_REASON_UNSPECIFIED);
  // Another port is dropped, last of all; nothing was counted of either.
  EXPECT_TRUE(explain(tcp(80)).drops());
  const v1::ListRulesResponse list = call(*shaper_, &Shaper::ListRules, "");
  for (const v1::RuleStatus& rule : list.rules()) EXPECT_EQ(rule.packets(), 0U);
  EXPECT_EQ(status_of("web").total_requests(), 0U);
}

TEST_F(ExplainRpc, TellsWhatABucketWouldDoNowAndWhatIsAboveIt) {
  configure("bucket_id: 'up' inner: true");
  configure("bucket_id: 'site' inner: true parent_id: 'up'");
  configure("bucket_id: 'a' parent_id: 'site' capacity: 2 leak_rate: 1");
  set_rules("default_bucket_id: 'a'");
  for (int i = 0; i < 2; ++i) allow("bucket_id: 'a'");
  const v1::ExplainResponse reply = explain(tcp(443));
  EXPECT_EQ(reply.rule_id(), "");
  EXPECT_EQ(reply.bucket_id(), "a");
  EXPECT_EQ(reply.queue_size(), 2U);
  EXPECT_EQ(reply.reject_reason(), v1::REJECT_REASON_FULL);
  ASSERT_EQ(reply.ancestors_size(), 2);
  EXPECT_EQ(reply.ancestors(0), "site");
  EXPECT_EQ(reply.ancestors(1), "up");
}

TEST_F(ExplainRpc, NamesTheFlowOfAPerFlowRule) {
  configure("bucket_id: 'up' inner: true");
  set_rules(
      "rules { rule_id: 'f' match { ip_protocol: 6 } per_flow { key: FLOW_KEY_DESTINATION "
      "ipv4_prefix_length: 24 max_flows: 4 bucket { capacity: 1 leak_rate: 1 parent_id: 'up' } } "
      "}");
  const v1::ExplainResponse reply = explain(tcp(443, "10.1.2.3"));
  EXPECT_EQ(reply.flow_key(), "10.1.2.0/24");
  ASSERT_EQ(reply.ancestors_size(), 1);
  EXPECT_EQ(reply.ancestors(0), "up");
}

TEST_F(ExplainRpc, ProtectedTrafficAndTheRest) {
  const Bytes arp = FrameBuilder().be16(0x0806).raw(Bytes(46, 0)).build();
  EXPECT_TRUE(explain(arp).is_protected());
  set_rules("protect_control_traffic: false");
  const v1::ExplainResponse passes = explain(arp);
  EXPECT_FALSE(passes.is_protected());
  EXPECT_TRUE(passes.passes());
}

TEST_F(ExplainRpc, RefusesWhatIsNoFrameOrComesByNoPort) {
  explain(Bytes(13, 0));
  expect_error(grpc::INVALID_ARGUMENT,
               "frame: 13 bytes is not allowed: 14 to 16384 bytes of an Ethernet frame");
  call(*shaper_, &Shaper::Explain, "frame: '12345678901234' ingress_port: 'none'");
  expect_error(grpc::NOT_FOUND, "ingress_port: no port is named \"none\"");
}

}  // namespace
}  // namespace drip::control
