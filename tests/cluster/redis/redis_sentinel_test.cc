// SPDX-License-Identifier: BSD-3-Clause
// The link finds the master by Sentinel and follows a failover.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "cluster/redis/redis_link.h"
#include "cluster/redis_options.h"
#include "support/redis_server.h"
#include "support/timed_wait.h"

namespace drip::cluster {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(RedisSentinel, FollowsAFailover) {
  RedisServer first;
  RedisServer second({"--replicaof", "127.0.0.1", std::to_string(first.port())});
  RedisSentinels sentinels(first);
  sentinels.wait_until_settled(1);

  RedisLink link(options_of(sentinels.url()));
  ASSERT_TRUE(link.connect().ok()) << link.connect();
  EXPECT_EQ(link.peer(), first.address());
  ASSERT_TRUE(link.command({"SET", "a", "1"}).ok());
  const auto copies = link.command({"WAIT", "1", "10000"}, deadline_in(std::chrono::seconds(15)));
  ASSERT_TRUE(copies.ok()) << copies.status();
  ASSERT_EQ(*copies->integer(), 1);

  first.kill();
  wait_until("first write after the master was killed", [&] {
    return link.command({"SET", "b", "2"}).ok();
  });
  EXPECT_EQ(link.peer(), second.address());
  const auto kept = link.command({"GET", "a"});
  ASSERT_TRUE(kept.ok() && kept->text() != nullptr) << kept.status();
  EXPECT_EQ(*kept->text(), "1");
}

// It is demoted by hand, which leaves its connections open, and cannot follow the new master: what
// it answers to a link that only reads is old.
TEST(RedisSentinel, LeavesADemotedMasterThatItOnlyReadsFrom) {
  RedisServer first;
  RedisServer second({"--replicaof", "127.0.0.1", std::to_string(first.port())});
  RedisSentinels sentinels(first);
  sentinels.wait_until_settled(1);
  RedisOptions options = options_of(sentinels.url());
  options.role_period = milliseconds(50);
  RedisLink link(options);
  ASSERT_TRUE(link.command({"SET", "a", "old"}).ok());
  ASSERT_EQ(link.peer(), first.address());
  ASSERT_EQ(second.cli({"REPLICAOF", "NO", "ONE"}), "OK\n");
  ASSERT_EQ(first.cli({"REPLICAOF", "127.0.0.1", std::to_string(free_port())}), "OK\n");
  ASSERT_EQ(second.cli({"SET", "a", "new"}), "OK\n");
  sentinels.watch(second);
  wait_until("it reads from the new master", [&] {
    const auto value = link.command({"GET", "a"});
    return value.ok() && value->text() != nullptr && *value->text() == "new";
  });
  EXPECT_EQ(link.peer(), second.address());
  EXPECT_EQ(link.connections(), 2U);
}

TEST(RedisSentinel, AUserWithoutTheRightToAskForTheRoleGoesOn) {
  RedisServer redis;
  ASSERT_EQ(redis.cli({"ACL", "SETUSER", "plain", "on", ">secret", "~*", "+@all", "-role"}),
            "OK\n");
  RedisOptions options =
      options_of("redis://plain:secret@127.0.0.1:" + std::to_string(redis.port()));
  options.role_period = milliseconds(0);
  RedisLink link(options);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(link.command({"INCR", "n"}).ok());
  EXPECT_EQ(link.connections(), 1U);
}

TEST(RedisSentinel, DeadSentinelsAndUnknownNames) {
  RedisServer redis;
  RedisSentinels sentinels(redis);
  const std::string good = sentinels.url();
  const std::string hosts = good.substr(11, good.find("/drip") - 11);
  // The first of the list is not there: the next is asked, and comes first from then on.
  RedisLink link(
      options_of("sentinel://127.0.0.1:" + std::to_string(free_port()) + "," + hosts + "/drip"));
  ASSERT_TRUE(wait_until([&] { return link.connect().ok(); })) << link.connect();
  EXPECT_NE(hosts.find(to_string(link.options().url.endpoints.front())), std::string::npos);

  const absl::Status unknown = RedisLink(options_of("sentinel://" + hosts + "/nobody")).connect();
  EXPECT_TRUE(absl::IsUnavailable(unknown)) << unknown;
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("knows no master 'nobody'"));
}

TEST(RedisSentinel, AReplicaIsNoMaster) {
  RedisServer first;
  RedisServer second({"--replicaof", "127.0.0.1", std::to_string(first.port())});
  RedisOptions options = options_of(second.url());
  auto connection = RedisConnection::open({options.url.endpoints.front(), ""}, options,
                                          deadline_in(milliseconds(2000)));
  ASSERT_TRUE(connection.ok()) << connection.status();
  const absl::Status status = (*connection)->check_is_master(deadline_in(milliseconds(2000)));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("its role is slave, not master"));
  // Without Sentinel the link takes what it is given, and finds out with the first write.
  RedisLink link(options);
  ASSERT_TRUE(link.connect().ok());
  EXPECT_TRUE(absl::IsUnavailable(link.command({"SET", "a", "1"}).status()));
  EXPECT_FALSE(link.connected());
}

}  // namespace
}  // namespace drip::cluster
