// SPDX-License-Identifier: BSD-3-Clause
// What is recorded of a node beside its buckets.
#include "web/recorder.h"

#include <gtest/gtest.h>

#include "web_fixture.h"

namespace drip::web {
namespace {

class RecorderTest : public WebFixture {
 protected:
  Recorder recorder_{node_->context()};
};

TEST_F(RecorderTest, PerFlowRulesAndWarningsAreRead) {
  call(*shaper_, &v1::ShaperService::Stub::SetRule,
       "rule { rule_id: 'homes' match {} per_flow { key: FLOW_KEY_SOURCE max_flows: 4 "
       "bucket { leak_rate: 1 capacity: 1 } } }");
  expect_ok();
  recorder_.step();
  recorder_.with_record([&](const Record& record) {
    ASSERT_EQ(record.now.flow_rules.size(), 1U);
    EXPECT_EQ(record.now.flow_rules[0].rule_id, "homes");
    EXPECT_EQ(record.now.rules, 1U);
    ASSERT_FALSE(record.now.warnings.empty());
    EXPECT_EQ(record.now.warnings[0], "no hugepages");
  });
}

}  // namespace
}  // namespace drip::web
