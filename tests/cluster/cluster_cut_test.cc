// SPDX-License-Identifier: BSD-3-Clause
// One of three real dripds loses its link to Redis, in network namespaces, and gets it back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "node_group.h"
#include "redis_server.h"
#include "temporary_directory.h"

namespace drip {
namespace {

bool ip(const std::vector<std::string>& words) {
  std::vector<std::string> command = {"ip"};
  command.insert(command.end(), words.begin(), words.end());
  return Process(command).wait().exit_code == 0;
}

// Two namespaces and a link between them: 10.0.0.1 in home(), 10.0.0.2 in away().
class Link {
 public:
  Link() {
    made_ = ip({"netns", "add", home()}) && ip({"netns", "add", away()}) &&
            ip({"-n", home(), "link", "add", "cut0", "type", "veth", "peer", "name", "cut0",
                "netns", away()}) &&
            ip({"-n", home(), "address", "add", "10.0.0.1/30", "dev", "cut0"}) &&
            ip({"-n", away(), "address", "add", "10.0.0.2/30", "dev", "cut0"}) &&
            ip({"-n", home(), "link", "set", "lo", "up"}) &&
            ip({"-n", away(), "link", "set", "cut0", "up"}) && set(true);
  }
  ~Link() {
    ip({"netns", "del", away()});
    ip({"netns", "del", home()});
  }
  [[nodiscard]] bool made() const { return made_; }
  bool set(bool up) { return ip({"-n", home(), "link", "set", "cut0", up ? "up" : "down"}); }
  [[nodiscard]] std::string home() const { return name_ + "-home"; }
  [[nodiscard]] std::string away() const { return name_ + "-away"; }

 private:
  const std::string name_ = "drip-cut-" + std::to_string(getpid());
  bool made_ = false;
};

// DRIPD is a program that runs the real one inside a namespace, while this lives.
class Inside {
 public:
  explicit Inside(const std::string& name) {
    const std::string path = directory_.write(
        "dripd", "#!/bin/sh\nexec ip netns exec " + name + " " + dripd_ + " \"$@\"\n");
    Process({"chmod", "755", path}).wait();
    setenv("DRIPD", path.c_str(), 1);
  }
  ~Inside() { setenv("DRIPD", dripd_.c_str(), 1); }

 private:
  const std::string dripd_ = std::getenv("DRIPD");
  TemporaryDirectory directory_;
};

TEST(ClusterCut, TheNodeSaysSoTheOthersGoOnAndItCatchesUp) {
  Link link;
  if (!link.made()) GTEST_SKIP() << "network namespaces cannot be made here (root is needed)";
  RedisServer redis({"--bind", "127.0.0.1", "10.0.0.1", "--protected-mode", "no"}, nullptr,
                    link.home());
  const std::string port = std::to_string(redis.port());
  ClusterNodes nodes;
  {
    const Inside home(link.home());
    nodes.push_back(std::make_unique<ClusterNode>("redis://127.0.0.1:" + port, "n1"));
    nodes.push_back(std::make_unique<ClusterNode>("redis://127.0.0.1:" + port, "n2"));
  }
  {
    const Inside away(link.away());
    nodes.push_back(std::make_unique<ClusterNode>("redis://10.0.0.1:" + port, "n3"));
  }
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  wait_until("a new cluster takes changes", [&] { return nodes[0]->configure("a", 10, 5).ok(); });
  wait_until("all have it", [&] { return all_have(nodes, "a", 5); });
  const std::string leader = common_leader(nodes);

  ASSERT_TRUE(link.set(false));
  wait_until("the node whose link is cut says so", [&] { return !nodes[2]->status().connected(); });
  EXPECT_EQ(nodes[2]->leader(), "");
  EXPECT_TRUE(nodes[2]->client().allow("a").allowed()) << "its own queues go on";
  wait_until("the others see it as UNKNOWN", [&] {
    const auto status = nodes[0]->status();
    return status.nodes_size() == 3 && status.nodes(2).state() == v1::NODE_STATE_UNKNOWN;
  });
  EXPECT_EQ(nodes[0]->leader(), leader);
  ASSERT_TRUE(nodes[1]->configure("a", 10, 6).ok());
  EXPECT_EQ(nodes[2]->rate("a"), 5);

  ASSERT_TRUE(link.set(true));
  wait_until("it is back after its link was healed",
             [&] { return common_leader(nodes) == leader; });
  wait_until("it has what was changed meanwhile", [&] { return all_have(nodes, "a", 6); });
}

}  // namespace
}  // namespace drip
