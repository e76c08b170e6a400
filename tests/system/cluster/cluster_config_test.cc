// SPDX-License-Identifier: BSD-3-Clause
// One configuration on three real dripds: set anywhere, the same everywhere, and kept.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "nodes/node_group.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"

namespace drip {
namespace {

using testing::HasSubstr;

class ClusterConfig : public testing::Test {
 protected:
  ClusterConfig() {
    wait_until("a new cluster takes changes",
               [&] { return nodes_[0]->configure("first", 10, 1).ok(); });
  }
  std::uint64_t revision(std::size_t node, const std::string& id) {
    return nodes_[node]->client().bucket(id).revision();
  }

  RedisServer redis_;
  ClusterNodes nodes_ = three_nodes(redis_.url());
};

TEST_F(ClusterConfig, WhatIsSetOnAnyNodeIsOnAll) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::string id = "from-" + nodes_[i]->id();
    ASSERT_TRUE(nodes_[i]->configure(id, 100, 7).ok());
    EXPECT_EQ(nodes_[i]->rate(id), 7) << "the node that was asked has it when the call returns";
    wait_until("all nodes have a new bucket", [&] { return all_have(nodes_, id, 7); });
  }
  EXPECT_EQ(revision(0, "from-n1"), revision(2, "from-n1"));

  nodes_[1]->client().call(&Shaper::SetRule, "rule { rule_id: 'r' match {} bucket_id: 'from-n2' }");
  wait_until("all nodes have a new rule", [&] {
    return nodes_[2]->client().call(&Shaper::ListRules, v1::ListRulesRequest()).rules_size() == 1;
  });
  v1::DeleteBucketRequest used;
  used.set_bucket_id("from-n2");
  v1::DeleteBucketResponse reply;
  const grpc::Status refused = nodes_[0]->client().status_of(&Limiter::DeleteBucket, used, reply);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("still gets packets from rule \"r\""));

  nodes_[2]->client().call(&Limiter::DeleteBucket, "bucket_id: 'from-n1'");
  wait_until("a deleted bucket is gone on all", [&] { return all_have(nodes_, "from-n1", 0); });
  wait_until("all tell one revision", [&] {
    const auto status = nodes_[0]->status();
    for (const auto& node : status.nodes()) {
      if (node.config_revision() != status.config_revision()) return false;
    }
    return true;
  });
}

TEST_F(ClusterConfig, OfTwoThatExpectOneRevisionOneWins) {
  wait_until("all have it", [&] { return all_have(nodes_, "first", 1); });
  for (int round = 0; round < 20; ++round) {
    const auto expected = static_cast<std::int64_t>(revision(0, "first"));
    std::vector<grpc::Status> results(3);
    std::vector<std::thread> clients;
    for (std::size_t i = 0; i < 3; ++i) {
      clients.emplace_back([&, i] {
        results[i] =
            nodes_[i]->configure("first", 10, 2.0 + round * 3 + static_cast<double>(i), expected);
      });
    }
    for (std::thread& client : clients) client.join();
    int won = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      if (results[i].ok()) {
        ++won;
        const double rate = 2.0 + round * 3 + static_cast<double>(i);
        wait_until("all have the winner's", [&] { return all_have(nodes_, "first", rate); });
      } else {
        EXPECT_EQ(results[i].error_code(), grpc::StatusCode::ABORTED) << results[i].error_message();
        EXPECT_THAT(results[i].error_message(),
                    HasSubstr(std::to_string(expected) + " is expected, but \"first\" is at"));
      }
    }
    EXPECT_EQ(won, 1);
  }
}

TEST_F(ClusterConfig, ManyAtOnceEndInOneOrderOnAll) {
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < 3; ++i) {
    clients.emplace_back([&, i] {
      for (int k = 0; k < 30; ++k) {
        const std::string id = "b" + std::to_string(k % 10);
        const grpc::Status status =
            nodes_[i]->configure(id, 10, 1.0 + k + 100.0 * static_cast<double>(i));
        EXPECT_TRUE(status.ok()) << status.error_message();
      }
    });
  }
  for (std::thread& client : clients) client.join();
  wait_until("90 changes by three clients are the same on all", [&] {
    for (int k = 0; k < 10; ++k) {
      const std::string id = "b" + std::to_string(k);
      const double rate = nodes_[0]->rate(id);
      if (rate == 0 || !all_have(nodes_, id, rate) || revision(0, id) != revision(2, id)) {
        return false;
      }
    }
    return true;
  });
}

TEST_F(ClusterConfig, ALateJoinerAndOneThatRestartsGetEverything) {
  ASSERT_TRUE(nodes_[0]->configure("a", 10, 3).ok());
  nodes_[0]->client().call(&Shaper::SetRule, "rule { rule_id: 'r' match {} bucket_id: 'a' }");
  nodes_.push_back(std::make_unique<ClusterNode>(redis_.url(), "n4"));
  wait_until("a late joiner has it", [&] { return nodes_[3]->rate("a") == 3; });
  EXPECT_EQ(nodes_[3]->client().call(&Shaper::ListRules, v1::ListRulesRequest()).rules_size(), 1);
  nodes_[1]->process().signal(SIGKILL);
  ASSERT_TRUE(nodes_[0]->configure("b", 10, 4).ok());
  nodes_[1] = nullptr;
  nodes_[1] = std::make_unique<ClusterNode>(redis_.url(), "n2");
  wait_until("one that was killed has all again",
             [&] { return all_have(nodes_, "a", 3) && all_have(nodes_, "b", 4); });
}

TEST_F(ClusterConfig, RedisThatRestartsEmptyIsToldWhatTheNodesKnow) {
  ASSERT_TRUE(nodes_[0]->configure("a", 10, 3).ok());
  nodes_[0]->client().call(&Shaper::SetRule, "rule { rule_id: 'r' match {} bucket_id: 'a' }");
  wait_until("all have it", [&] { return all_have(nodes_, "a", 3); });
  const std::uint64_t before = nodes_[0]->status().config_revision();
  redis_.restart();
  wait_until("settled after Redis was restarted empty", [&] {
    const auto status = nodes_[0]->status();
    if (status.config_revision() <= before || status.nodes_size() != 3) return false;
    for (const auto& node : status.nodes()) {
      if (node.config_revision() != status.config_revision()) return false;
    }
    return true;
  });
  EXPECT_TRUE(all_have(nodes_, "a", 3));
  EXPECT_EQ(nodes_[2]->client().call(&Shaper::ListRules, v1::ListRulesRequest()).rules_size(), 1);
  ASSERT_TRUE(nodes_[1]->configure("b", 10, 4).ok());
  wait_until("all have a change after it", [&] { return all_have(nodes_, "b", 4); });
  // One that knew nothing of it gets it from Redis.
  ClusterNode late(redis_.url(), "n4");
  wait_until("a late joiner has it", [&] { return late.rate("a") == 3; });
}

TEST_F(ClusterConfig, ANodeThatCannotApplySaysSoAndItsOwnChangeIsTakenBack) {
  nodes_.push_back(std::make_unique<ClusterNode>(redis_.url(), "small",
                                                 std::vector<std::string>{"--ring-memory", "1mb"}));
  ASSERT_TRUE(nodes_[0]->configure("large", 200'000, 3).ok());
  wait_until("the small node tells what it cannot apply", [&] {
    const auto status = nodes_[0]->status();
    for (const auto& node : status.nodes()) {
      if (node.node_id() == "small") return node.config_error().find("large") != std::string::npos;
    }
    return false;
  });
  EXPECT_EQ(nodes_[3]->rate("first"), 1) << "it serves what it can";
  ASSERT_TRUE(nodes_[0]->configure("large", 100, 3).ok());
  wait_until("it says so no more once it fits", [&] {
    const auto status = nodes_[1]->status();
    for (const auto& node : status.nodes()) {
      if (node.node_id() == "small") return node.config_error().empty();
    }
    return false;
  });
  const grpc::Status own = nodes_[3]->configure("huge", 300'000, 3);
  EXPECT_EQ(own.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << own.error_message();
  wait_until("its own is on no node", [&] { return all_have(nodes_, "huge", 0); });
}

TEST_F(ClusterConfig, AFileFillsInWhatTheClusterLacks) {
  ASSERT_TRUE(nodes_[0]->configure("a", 10, 3).ok());
  TemporaryDirectory directory;
  const std::string file = directory.write("dripd.toml",
                                           "[[buckets]]\nbucket_id = \"a\"\ncapacity = 5\n"
                                           "leak_rate = 99\n[[buckets]]\nbucket_id = \"new\"\n"
                                           "capacity = 5\nleak_rate = 8\n");
  nodes_.push_back(std::make_unique<ClusterNode>(redis_.url(), "n4",
                                                 std::vector<std::string>{"--config", file}));
  wait_until("all have what the file adds", [&] { return all_have(nodes_, "new", 8); });
  EXPECT_TRUE(all_have(nodes_, "a", 3)) << "what the cluster has stands";
}

// The file's buckets are of no use to a node that gave up asking.
TEST(ClusterFile, WhatAReloadCouldNotAddIsAddedLater) {
  RedisServer redis;
  TemporaryDirectory directory;
  const std::string bucket = "[[buckets]]\ncapacity = 5\nleak_rate = ";
  const std::string file = directory.write("dripd.toml", bucket + "8\nbucket_id = \"a\"\n");
  ClusterNode node(redis.url(), "n1", {"--config", file});
  ClusterNode other(redis.url(), "n2");
  wait_until("the file's bucket is the cluster's", [&] { return other.rate("a") == 8; });
  redis.pause();
  directory.write("dripd.toml",
                  bucket + "8\nbucket_id = \"a\"\n" + bucket + "9\nbucket_id = \"late\"\n");
  node.process().signal(SIGHUP);
  node.process().logs("missing parts are added to it later");
  redis.resume();
  wait_until("what it adds is the cluster's", [&] { return other.rate("late") == 9; });
  EXPECT_EQ(node.rate("late"), 9);
}

TEST(ClusterFile, AloneUntilRedisCanBeAsked) {
  RedisServer redis;
  redis.kill();
  TemporaryDirectory directory;
  const std::string file = directory.write(
      "dripd.toml", "[[buckets]]\nbucket_id = \"a\"\ncapacity = 5\nleak_rate = 8\n");
  ClusterNode node(redis.url(), "n1", {"--config", file});
  EXPECT_EQ(node.rate("a"), 8);
  EXPECT_FALSE(node.status().connected());
  node.client().allow("a");
  redis.start();
  ClusterNode other(redis.url(), "n2");
  wait_until("the file's bucket is the cluster's", [&] { return other.rate("a") == 8; });
  EXPECT_EQ(node.client().bucket("a").allowed_requests(), 1U) << "and was not made anew";
}

}  // namespace
}  // namespace drip
