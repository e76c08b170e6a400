// SPDX-License-Identifier: BSD-3-Clause
// Buckets of per-flow rules in what is recorded.
#include "control/recorder/flow_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "control/recorder/bucket_recorder.h"
#include "recorder_fixture.h"

namespace drip::control {
namespace {

using testing::ElementsAre;

FlowKey source(std::uint8_t last) {
  FlowKey key;
  key.kind = FlowKeyKind::kSource;
  key.ip_version = IpVersion::kV4;
  key.src_address = {10, 0, 0, last};
  key.prefix_length = 32;
  return key;
}

class FlowRowsTest : public RecorderFixture {
 protected:
  FlowRowsTest() {
    // The engine has a bucket here and tells that a flow has it.
    configure("bucket_id: 'lan' capacity: 100 leak_rate_bps: 8000000");
    configure("bucket_id: 'slot' capacity: 100 leak_rate_bps: 8000000");
  }
  void set_rule(const std::string& more = "overflow: FLOW_OVERFLOW_PASS") {
    call(*shaper_, &v1::ShaperService::Stub::SetRule,
         "rule { rule_id: 'per' per_flow { key: FLOW_KEY_SOURCE max_flows: 10 " + more +
             " bucket { capacity: 10 leak_rate_bps: 1000000 } } }");
    expect_ok();
  }
  void step() { RecorderFixture::step(recorder_); }
  std::vector<std::string> ids() {
    std::vector<std::string> ids;
    for (const BucketRow& row : recorder_.record().table.rows()) ids.emplace_back(row.id());
    return ids;
  }
  const BucketRow& row(const std::string& id) {
    return recorder_.record().table.rows()[recorder_.record().table.find(id).value()];
  }

  BucketRecorder recorder_{node_->context().engine, node_->context().buckets,
                           node_->context().configuration, nullptr, 10'000};
};

TEST_F(FlowRowsTest, AFlowIsReadBesideConfiguredBuckets) {
  set_rule();
  engine_.flow_places = {{source(1), ref("slot")}};
  recorder_.step();
  EXPECT_THAT(ids(), ElementsAre("lan", "per/10.0.0.1/32", "slot"));
  offer("slot", 10);
  step();
  const BucketRow& flow = row("per/10.0.0.1/32");
  EXPECT_FLOAT_EQ(flow.bits_per_second, 40'000);
  EXPECT_FLOAT_EQ(flow.units_per_second, 5);
  EXPECT_EQ(flow.settings().bits_per_second, 1'000'000);
  EXPECT_FALSE(flow.inner());
  ASSERT_NE(flow.history, nullptr);
  EXPECT_EQ(recorder_.record().table.top(SortBy::kRate, 5).size(), 2U);
}

TEST_F(FlowRowsTest, AFlowThatHasGoneLeavesItsBucketToAnother) {
  set_rule();
  engine_.flow_places = {{source(1), ref("slot")}};
  recorder_.step();
  offer("slot", 10);
  step();
  engine_.flow_places = {{source(2), ref("slot")}};
  offer("slot", 10);
  step();
  EXPECT_THAT(ids(), ElementsAre("lan", "per/10.0.0.2/32", "slot"));
  // What was counted before is not known to be its own.
  EXPECT_FLOAT_EQ(row("per/10.0.0.2/32").bits_per_second, 0);
  EXPECT_EQ(row("per/10.0.0.2/32").history, nullptr);
  engine_.flow_places.clear();
  step();
  EXPECT_THAT(ids(), ElementsAre("lan", "slot"));
}

TEST_F(FlowRowsTest, RowsAreInOrderOfId) {
  set_rule();
  configure("bucket_id: 'z' capacity: 100 leak_rate_bps: 8000000");
  engine_.flow_places = {{source(9), ref("slot")}, {source(1), ref("z")}, {source(5), ref("lan")}};
  recorder_.step();
  step();
  EXPECT_THAT(ids(), ElementsAre("lan", "per/10.0.0.1/32", "per/10.0.0.5/32", "per/10.0.0.9/32",
                                 "slot", "z"));
}

TEST_F(FlowRowsTest, FlowsBeyondTheMostShareARow) {
  set_rule("overflow: FLOW_OVERFLOW_SHARED");
  recorder_.step();
  EXPECT_THAT(ids(), ElementsAre("lan", "per/overflow", "slot"));
}

TEST_F(FlowRowsTest, AFlowIsBelowTheParentOfItsRule) {
  configure("bucket_id: 'up' leak_rate_bps: 9000000 inner: true");
  call(*shaper_, &v1::ShaperService::Stub::SetRule,
       "rule { rule_id: 'per' per_flow { key: FLOW_KEY_SOURCE max_flows: 10 overflow: "
       "FLOW_OVERFLOW_PASS bucket { capacity: 10 leak_rate_bps: 1000000 parent_id: 'up' } } }");
  expect_ok();
  engine_.flow_places = {{source(1), ref("slot")}};
  recorder_.step();
  const BucketTable& table = recorder_.record().table;
  const auto up = table.find("up").value();
  ASSERT_EQ(table.children(up).size(), 1U);
  EXPECT_EQ(table.rows()[table.children(up)[0]].id(), "per/10.0.0.1/32");
  EXPECT_TRUE(row("per/10.0.0.1/32").in_tree);
}

TEST_F(FlowRowsTest, AreNotWaitedForWhileTheRulesChange) {
  set_rule();
  engine_.flow_places = {{source(1), ref("slot")}};
  recorder_.step();
  offer("slot", 10);
  // Whoever changes rules holds the same lock.
  node_->context().configuration.with_rules(
      [&](const RuleStore&) { std::thread([&] { step(); }).join(); });
  EXPECT_THAT(ids(), ElementsAre("lan", "per/10.0.0.1/32", "slot"));
  EXPECT_FLOAT_EQ(row("slot").bits_per_second, 40'000);
  EXPECT_FLOAT_EQ(row("per/10.0.0.1/32").bits_per_second, 0);
  step();
  // Over both steps.
  EXPECT_FLOAT_EQ(row("per/10.0.0.1/32").bits_per_second, 20'000);
}

TEST_F(FlowRowsTest, ARuleThatIsGoneHasNoRows) {
  set_rule();
  engine_.flow_places = {{source(1), ref("slot")}};
  recorder_.step();
  call(*shaper_, &v1::ShaperService::Stub::DeleteRule, "rule_id: 'per'");
  expect_ok();
  step();
  EXPECT_THAT(ids(), ElementsAre("lan", "slot"));
}

}  // namespace
}  // namespace drip::control
