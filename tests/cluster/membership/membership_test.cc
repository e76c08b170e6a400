// SPDX-License-Identifier: BSD-3-Clause
// Members, leader and fence against a real redis-server, without a dripd around them.
#include "cluster/membership/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "cluster/redis/redis_link.h"
#include "cluster/redis_options.h"
#include "cluster/shares/store/share_scripts.h"
#include "support/redis_server.h"
#include "support/timed_wait.h"

namespace drip::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;
using State = control::ClusterMember::State;

class TestNode {
 public:
  TestNode(const RedisServer& redis, const std::string& id, AppliedConfig applied = {})
      : membership_(
            options(redis, id), make_incarnation(), [applied] { return applied; },
            [] {
              return control::NodeTotals{3, 2, 1, 1};
            },
            [](const ConfigHead&) {}) {}
  Membership* operator->() { return &membership_; }
  std::string leader() {
    const auto leader = membership_.leader();
    return leader.ok() ? leader->node_id : std::string();
  }
  std::uint64_t epoch() { return membership_.leader_state().epoch; }
  State state_of(const std::string& id) {
    const auto status = membership_.status();
    for (const auto& member : status.members) {
      if (member.node_id == id) return member.state;
    }
    return State::kUnknown;
  }

 private:
  static MembershipOptions options(const RedisServer& redis, const std::string& id) {
    MembershipOptions options;
    options.redis = options_of(redis.url());
    options.redis.command_timeout = milliseconds(300);
    options.node_id = id;
    options.address = id + ".example:50051";
    options.version = "1.2.3";
    options.heartbeat = milliseconds(50);
    options.lease = milliseconds(500);
    return options;
  }
  Membership membership_;
};

std::unique_ptr<TestNode> started(const RedisServer& redis, const std::string& id) {
  auto node = std::make_unique<TestNode>(redis, id);
  const absl::Status status = (*node)->start();
  EXPECT_TRUE(status.ok()) << status;
  return node;
}

TEST(Membership, OneLeadsAndAllSayTheSame) {
  RedisServer redis;
  std::vector<std::unique_ptr<TestNode>> nodes;
  for (const char* const id : {"a", "b", "c"}) nodes.push_back(started(redis, id));
  for (auto& node : nodes) {
    wait_until("the node knows three members",
               [&] { return (*node)->status().members.size() == 3; });
    EXPECT_EQ(node->leader(), "a");
    EXPECT_EQ(node->epoch(), 1U);
    const control::ClusterStatus status = (*node)->status();
    EXPECT_TRUE(status.connected);
    EXPECT_TRUE(status.clustered);
    for (const auto& member : status.members) {
      EXPECT_EQ(member.state, State::kUp);
      EXPECT_EQ(member.address, member.node_id + ".example:50051");
      EXPECT_EQ(member.version, "1.2.3");
      EXPECT_EQ(member.totals, (control::NodeTotals{3, 2, 1, 1}));
      EXPECT_EQ(member.role == control::ClusterMember::Role::kLeader, member.node_id == "a");
      EXPECT_GT(member.last_seen_epoch_ms, 1'600'000'000'000);
    }
  }
  EXPECT_TRUE((*nodes[0])->leader_state().is_self);
  EXPECT_FALSE((*nodes[1])->leader_state().is_self);
  EXPECT_EQ((*nodes[1])->leader()->address, "a.example:50051");
}

TEST(Membership, ALeaderThatStopsHandsOverAtOnceAndOneThatDrainsLeadsNoMore) {
  RedisServer redis;
  auto a = started(redis, "a");
  auto b = started(redis, "b");
  (*a)->begin_drain();
  wait_until("another node leads after the leader drained", [&] { return b->leader() == "b"; });
  wait_until("the drained node is listed as draining",
             [&] { return b->state_of("a") == State::kDraining; });
  EXPECT_EQ(b->epoch(), 2U);
  (*a)->stop();
  wait_until("the stopped node has left", [&] { return (*b)->status().members.size() == 1; });
}

TEST(Membership, TheEpochGrowsEvenWhenRedisForgets) {
  RedisServer redis;
  auto a = started(redis, "a");
  (*a)->stop();
  auto b = started(redis, "b");
  EXPECT_EQ(b->epoch(), 2U);
  (*b)->stop();
  auto c = started(redis, "c");
  EXPECT_EQ(c->epoch(), 3U);
  redis.restart();
  wait_until("a leader under a higher epoch after Redis lost its data",
             [&] { return !c->leader().empty() && c->epoch() > 3; });
  EXPECT_EQ(c->epoch(), 4U) << "one above what it had seen";
  // One that comes without any knowledge takes over what the others kept.
  auto d = started(redis, "d");
  EXPECT_EQ(d->epoch(), 4U);
}

TEST(Membership, RecoveryEndsInTimeThoughRedissClockWasSetBack) {
  RedisServer redis;
  auto a = started(redis, "a");
  const ClusterKeys keys("drip");
  // As if it had begun an hour from now, by the clock of then.
  redis.cli({"HSET", keys.config, "unsettled_ms", "99999999999999"});
  wait_until("it begins anew by the present clock", [&] {
    const std::string since = redis.cli({"HGET", keys.config, "unsettled_ms"});
    return since.size() > 2 && since.size() < 15;
  });
}

TEST(Membership, ARightThatIsMissingIsNamed) {
  RedisServer redis;
  auto all = started(redis, "a");
  EXPECT_THAT((*all)->status().warnings, testing::IsEmpty());
  (*all)->stop();
  redis.cli({"ACL", "SETUSER", "default", "-zrange", "-xadd"});
  auto some = started(redis, "b");
  wait_until("the rights are checked", [&] { return !(*some)->status().warnings.empty(); });
  EXPECT_TRUE((*some)->status().connected);
  EXPECT_THAT((*some)->status().warnings,
              testing::ElementsAre(HasSubstr(" refuses ZRANGE: "), HasSubstr(" refuses XADD: ")));
  EXPECT_EQ(redis.cli({"KEYS", "*check*"}), "\n") << "nothing of the check stays";
}

TEST(Membership, AStaleLeadersWriteIsRefusedInRedis) {
  RedisServer redis;
  auto a = started(redis, "a");
  const ClusterKeys keys("drip");
  const ShareScripts scripts(keys.prefix, keys.leader);
  RedisLink link(options_of(redis.url()));
  // Under a new run id the leader begins new data of shares.
  const auto begin_data = [&](std::uint64_t epoch, const std::string& run_id) {
    const ScriptCall call = scripts.begin(run_id, epoch, 1);
    const auto replies = link.scripts(std::span(&call, 1));
    return replies.ok() ? status_of(replies->front()) : replies.status();
  };
  const std::uint64_t epoch = a->epoch();
  EXPECT_TRUE(begin_data(epoch, "first").ok());
  (*a)->stop();
  auto b = started(redis, "b");
  const absl::Status stale = begin_data(epoch, "stale");
  EXPECT_TRUE(absl::IsFailedPrecondition(stale)) << stale;
  EXPECT_THAT(std::string(stale.message()),
              HasSubstr("FENCED epoch 1 is over: the present one is 2"));
  EXPECT_EQ(*link.command({"HGET", "drip:{drip}:shares:1024:data", "run_id"})->text(), "first");
  EXPECT_TRUE(begin_data(b->epoch(), "second").ok());
  EXPECT_FALSE(begin_data(3, "from the future").ok());
}

TEST(Membership, OneIdIsOneNodes) {
  RedisServer redis;
  auto a = started(redis, "a");
  TestNode second(redis, "a");
  const absl::Status status = second->start();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node id \"a\" is in use by another node"));
  second->stop();
  EXPECT_EQ(a->leader(), "a") << "the first one did not notice";
  // One that died is gone after its lease: its successor waits for that and comes in.
  redis.cli({"EVAL", "return 1", "0"});
  (*a)->stop();
  auto successor = started(redis, "a");
  EXPECT_EQ(successor->leader(), "a");
}

TEST(Membership, ANodeThatIsCutOffSaysSoInsteadOfGuessing) {
  RedisServer redis;
  auto a = started(redis, "a");
  auto b = started(redis, "b");
  wait_until("two members", [&] { return (*a)->status().members.size() == 2; });
  redis.pause();
  wait_until("both nodes report that they are cut off",
             [&] { return !(*a)->status().connected && !(*b)->status().connected; });
  const control::ClusterStatus status = (*b)->status();
  EXPECT_GT(status.knowledge_age, milliseconds(500));
  ASSERT_EQ(status.members.size(), 2U);
  for (const auto& member : status.members) EXPECT_EQ(member.state, State::kUnknown);
  const auto leader = (*b)->leader();
  EXPECT_TRUE(absl::IsUnavailable(leader.status()));
  EXPECT_THAT(std::string(leader.status().message()), HasSubstr("cut off from the cluster for"));
  EXPECT_THAT(std::string(leader.status().message()),
              HasSubstr("the last known one was 'a', epoch 1"));
  EXPECT_FALSE((*a)->leader_state().is_self) << "its lease has run out, so it does not lead";
  redis.resume();
  wait_until("one leader after Redis was resumed",
             [&] { return !a->leader().empty() && a->leader() == b->leader(); });
  EXPECT_EQ(a->epoch(), 2U) << "a lease that has run out is not taken up again";
}

TEST(Membership, StartsAndStopsWithinABoundWhereRedisIsDead) {
  RedisServer redis;
  redis.pause();
  const auto begin = steady_clock::now();
  {
    auto node = started(redis, "a");
    EXPECT_FALSE((*node)->status().connected);
    EXPECT_EQ((*node)->status().members.size(), 1U);
    EXPECT_TRUE(absl::IsUnavailable((*node)->leader().status()));
  }
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  redis.resume();
}

}  // namespace
}  // namespace drip::cluster
