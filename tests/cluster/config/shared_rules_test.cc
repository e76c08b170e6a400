// SPDX-License-Identifier: BSD-3-Clause
// Single rules of a cluster, on nodes with fake engines and a real redis-server between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "base/text.h"
#include "cluster/config/shared_configuration.h"
#include "cluster/membership/membership.h"
#include "cluster/redis_options.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/requests/local_queues.h"
#include "control/support/fake_engine.h"
#include "control/support/messages.h"
#include "support/redis_server.h"
#include "support/timed_wait.h"

namespace drip::cluster {
namespace {

using testing::ElementsAre;

class Node {
 public:
  Node(const RedisServer& redis, const std::string& id)
      : membership_(
            options(redis, id), incarnation_, [this] { return shared_.applied(); },
            [] { return control::NodeTotals{}; },
            [this](const ConfigHead& head) { shared_.head_seen(head); }),
        shared_(options(redis, id), incarnation_, configuration_) {
    EXPECT_TRUE(configuration_.start().ok());
    EXPECT_TRUE(membership_.start().ok());
  }
  ~Node() {
    shared_.stop();
    membership_.stop();
    (void)engine_.drain_and_stop({});
  }
  // On the thread of the changes.
  template <class Use>
  auto run(Use use) {
    std::promise<decltype(use())> done;
    EXPECT_TRUE(shared_.thread().post([&] { done.set_value(use()); }));
    return done.get_future().get();
  }
  absl::Status set(const std::string& rule) {
    return run([&] {
      auto spec = control::read_rule(control::message<v1::Rule>(rule), "rule.");
      return shared_.set_rule(*std::move(spec), in_a_while()).status();
    });
  }
  absl::Status erase(const std::string& id) {
    return run([&] { return shared_.delete_rule(id, in_a_while()).status(); });
  }
  absl::Status replace_all(const std::string& rule_set) {
    return run([&] {
      auto rules = control::read_rule_set(control::message<v1::RuleSet>(rule_set), "rule_set.");
      return shared_.set_rules(*std::move(rules), std::nullopt, in_a_while()).status();
    });
  }
  absl::Status set_bucket(const std::string& bucket) {
    return run([&] {
      const auto patch = control::read_patch(control::message<v1::BucketConfig>(bucket), "");
      return shared_.configure({&*patch, 1}, in_a_while()).status();
    });
  }
  void refuse_rules(const absl::Status& status) {
    run([&] {
      engine_.fail_swap = status;
      return true;
    });
  }
  std::vector<std::string> rules() const {
    std::vector<std::string> ids;
    configuration_.with_rules([&](const control::RuleStore& rules) {
      for (const control::RuleState& state : rules.list()) ids.push_back(state.rule->id);
    });
    return ids;
  }
  std::uint64_t revision() const { return shared_.applied().revision; }
  std::string error() const { return shared_.applied().error; }
  int compiled_anew() const { return engine_.swaps - engine_.appends; }

 private:
  static MembershipOptions options(const RedisServer& redis, const std::string& id) {
    MembershipOptions options;
    options.redis = options_of(redis.url());
    options.redis.command_timeout = std::chrono::seconds(2);
    options.node_id = id;
    options.heartbeat = std::chrono::milliseconds(30);
    options.lease = std::chrono::milliseconds(3000);
    return options;
  }
  static std::chrono::system_clock::time_point in_a_while() {
    return std::chrono::system_clock::now() + std::chrono::seconds(30);
  }

  const std::string incarnation_ = make_incarnation();
  control::FakeEngine engine_;
  control::LocalQueues requests_{engine_, 100};
  control::BucketRegistry buckets_{engine_, requests_};
  control::Configuration configuration_{engine_, buckets_};
  Membership membership_;
  SharedConfiguration shared_;
};

class SharedRules : public testing::Test {
 protected:
  SharedRules() {
    wait_until("a new cluster takes rules",
               [&] { return a_.set("rule_id: 'first' drop: true").ok(); });
  }
  static std::string rule(int i) {
    return joined("rule_id: 'r", i, "' drop: true match { dst_prefix: '10.0.", i / 250, ".",
                  i % 250, "/32' }");
  }
  void wait_for(const Node& node) {
    wait_until("the nodes have one revision", [&] { return node.revision() == a_.revision(); });
  }

  RedisServer redis_;
  Node a_{redis_, "a"};
  Node b_{redis_, "b"};
};

TEST_F(SharedRules, AddedOneByOneAreCompiledSeldomOnEveryNode) {
  wait_for(b_);
  const int before_a = a_.compiled_anew();
  const int before_b = b_.compiled_anew();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(a_.set(rule(i)).ok());
    // So that the rules' revision is not the number of their changes.
    if (i != 100) continue;
    ASSERT_TRUE(a_.set_bucket("bucket_id: 'b' capacity: 1 leak_rate: 1").ok());
  }
  wait_for(b_);
  EXPECT_EQ(b_.rules(), a_.rules());
  EXPECT_EQ(a_.rules().size(), 1001U);
  EXPECT_LT(a_.compiled_anew() - before_a, 35);
  EXPECT_LT(b_.compiled_anew() - before_b, 35);
  EXPECT_EQ(redis_.cli({"xlen", "drip:{drip}:log"}), "1002\n");
  // The log has the rules that were added, not all rules 128 times: 1,000 rules are some 30 KB.
  const auto bytes = std::stoul(redis_.cli({"memory", "usage", "drip:{drip}:log", "samples", "0"}));
  EXPECT_LT(bytes, 400'000U);
  const Node late(redis_, "late");
  wait_for(late);
  EXPECT_EQ(late.rules(), a_.rules());
}

TEST_F(SharedRules, AreReadWithTheChangesSinceTheyWereStored) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(a_.set(rule(i)).ok());
  ASSERT_TRUE(a_.erase("first").ok());
  ASSERT_TRUE(a_.erase("r3").ok());
  ASSERT_TRUE(a_.set("rule_id: 'r5' priority: 7 pass: true").ok());
  for (int i = 4; i < 10; ++i) {
    if (i == 5) continue;
    ASSERT_TRUE(a_.erase(joined("r", i)).ok());
  }
  const Node late(redis_, "late");
  wait_for(late);
  EXPECT_THAT(late.rules(), ElementsAre("r5", "r0", "r1", "r2"));
  wait_for(b_);
  EXPECT_EQ(b_.rules(), late.rules());
}

TEST_F(SharedRules, SetAsAWholeEndTheChangesBefore) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(a_.set(rule(i)).ok());
  ASSERT_TRUE(
      a_.replace_all("rules { rule_id: 'x' drop: true } rules { rule_id: 'r1' drop: true }").ok());
  ASSERT_TRUE(a_.set(rule(9)).ok());
  const Node late(redis_, "late");
  wait_for(late);
  EXPECT_THAT(late.rules(), ElementsAre("x", "r1", "r9"));
}

// Each set stores all rules and lists.
TEST_F(SharedRules, WithALongListTakeABoundedLog) {
  std::string set =
      "rules { rule_id: 'x' drop: true match { src_list: 'l' } } address_lists { name: 'l'";
  for (int i = 0; i < 60'000; ++i) {
    set += joined(" prefixes: '10.", i / 62'500, ".", i / 250 % 250, ".", i % 250, "/32'");
  }
  set += " }";
  for (int i = 0; i < 25; ++i) ASSERT_TRUE(a_.replace_all(set).ok());
  const auto bytes = std::stoul(redis_.cli({"memory", "usage", "drip:{drip}:log", "samples", "0"}));
  EXPECT_GT(bytes, 5'000'000U);
  EXPECT_LT(bytes, 20'000'000U);
  wait_for(b_);
}

TEST_F(SharedRules, OneThatANodeCannotApplyIsNotForgottenWithTheNext) {
  wait_for(b_);
  b_.refuse_rules(absl::ResourceExhaustedError("no buffers"));
  ASSERT_TRUE(a_.set(rule(1)).ok());
  wait_until("b has refused it", [&] { return !b_.error().empty(); });
  b_.refuse_rules(absl::OkStatus());
  ASSERT_TRUE(a_.set(rule(2)).ok());
  wait_until("b has both", [&] { return b_.rules() == a_.rules() && b_.error().empty(); });
  EXPECT_THAT(b_.rules(), ElementsAre("first", "r1", "r2"));
}

TEST_F(SharedRules, OneThatTheAskedNodeCannotApplyIsReverted) {
  ASSERT_TRUE(a_.set(rule(1)).ok());
  a_.refuse_rules(absl::ResourceExhaustedError("no buffers"));
  EXPECT_EQ(a_.set(rule(2)).code(), absl::StatusCode::kResourceExhausted);
  a_.refuse_rules(absl::OkStatus());
  ASSERT_TRUE(a_.set(rule(3)).ok());
  wait_for(b_);
  EXPECT_THAT(b_.rules(), ElementsAre("first", "r1", "r3"));
  EXPECT_EQ(a_.rules(), b_.rules());
}

TEST_F(SharedRules, AreWrittenBackToARedisThatLostThem) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(a_.set(rule(i)).ok());
  wait_for(b_);
  const std::uint64_t before = a_.revision();
  redis_.restart();
  wait_until("written back", [&] { return a_.revision() > before && a_.error().empty(); });
  ASSERT_TRUE(b_.set(rule(5)).ok());
  wait_for(b_);
  const Node late(redis_, "late");
  wait_for(late);
  EXPECT_THAT(late.rules(), ElementsAre("first", "r0", "r1", "r2", "r3", "r4", "r5"));
  EXPECT_EQ(a_.rules(), late.rules());
}

TEST_F(SharedRules, AreWrittenBackInPlaceOfOlderChanges) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(a_.set(rule(i)).ok());
  redis_.cli({"save"});
  ASSERT_TRUE(a_.erase("r0").ok());
  ASSERT_TRUE(a_.erase("r3").ok());
  wait_for(b_);
  const std::uint64_t before = a_.revision();
  redis_.kill();
  redis_.start();  // With what was saved.
  wait_until("written back", [&] { return a_.revision() > before && a_.error().empty(); });
  wait_for(b_);
  const Node late(redis_, "late");
  wait_for(late);
  EXPECT_THAT(late.rules(), ElementsAre("first", "r1", "r2", "r4"));
}

}  // namespace
}  // namespace drip::cluster
