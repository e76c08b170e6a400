// SPDX-License-Identifier: BSD-3-Clause
// A configuration on the fake engine, and changes of it in protobuf's text format.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/text.h"
#include "control/config/configuration.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/requests/local_queues.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"

namespace drip::control {

class ConfigurationTest : public testing::Test {
 protected:
  ConfigurationTest() { EXPECT_TRUE(configuration_.start().ok()); }
  ~ConfigurationTest() override { (void)engine_.drain_and_stop({}); }

  static std::vector<BucketPatch> patches(const std::vector<std::string>& configs) {
    std::vector<BucketPatch> result;
    for (const std::string& config : configs) {
      const auto patch =
          read_patch(message<v1::BucketConfig>(config), joined("buckets[", result.size(), "]."));
      EXPECT_TRUE(patch.ok()) << patch.status();
      result.push_back(*patch);
    }
    return result;
  }
  absl::Status configure(const std::vector<std::string>& configs) {
    return configuration_.configure(patches(configs)).status();
  }
  static RuleSetSpec rule_set(const std::string& text) {
    const auto spec = read_rule_set(message<v1::RuleSet>(text), "rule_set.");
    EXPECT_TRUE(spec.ok()) << spec.status();
    return *spec;
  }
  absl::Status set_rules(const std::string& text) {
    return configuration_.set_rules(rule_set(text)).status();
  }
  absl::Status set_rule(const std::string& text) {
    const auto spec = read_rule(message<v1::Rule>(text), "rule.");
    EXPECT_TRUE(spec.ok()) << spec.status();
    return configuration_.set_rule(*spec).status();
  }
  std::uint64_t revision() const {
    std::uint64_t number = 0;
    configuration_.with_rules([&](const RuleStore& rules) { number = rules.revision(); });
    return number;
  }
  HitTotals hits(const std::string& id) const {
    HitTotals totals;
    configuration_.with_rules([&](const RuleStore& rules) {
      for (const RuleState& state : rules.list()) {
        if (state.rule->id == id) totals = state.hits;
      }
    });
    return totals;
  }
  std::vector<std::string> rule_order() const {
    std::vector<std::string> ids;
    configuration_.with_rules([&](const RuleStore& rules) {
      for (const RuleState& state : rules.list()) ids.push_back(state.rule->id);
    });
    return ids;
  }

  FakeEngine engine_;
  LocalQueues requests_{engine_, 1000};
  BucketRegistry buckets_{engine_, requests_};
  Configuration configuration_{engine_, buckets_};
};

inline constexpr const char* kFlowRule =
    "rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 1 } }";

}  // namespace drip::control
