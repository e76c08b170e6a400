// SPDX-License-Identifier: BSD-3-Clause
// Two network namespaces and a link that can be cut, and dripds that run in one of them.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "nodes/node_group.h"
#include "support/process.h"
#include "support/redis_server.h"
#include "support/temporary_directory.h"

namespace drip {

/// 10.0.0.1 in main_namespace(), 10.0.0.2 in remote_namespace(). Removed with the object.
class NetworkCut {
 public:
  NetworkCut() {
    made_ = ip({"netns", "add", main_namespace()}) && ip({"netns", "add", remote_namespace()}) &&
            ip({"-n", main_namespace(), "link", "add", "cut0", "type", "veth", "peer", "name",
                "cut0", "netns", remote_namespace()}) &&
            ip({"-n", main_namespace(), "address", "add", "10.0.0.1/30", "dev", "cut0"}) &&
            ip({"-n", remote_namespace(), "address", "add", "10.0.0.2/30", "dev", "cut0"}) &&
            ip({"-n", main_namespace(), "link", "set", "lo", "up"}) &&
            ip({"-n", remote_namespace(), "link", "set", "cut0", "up"}) && set(true);
  }
  ~NetworkCut() {
    ip({"netns", "del", remote_namespace()});
    ip({"netns", "del", main_namespace()});
  }
  NetworkCut(const NetworkCut&) = delete;
  NetworkCut& operator=(const NetworkCut&) = delete;

  /// False where the right to make namespaces is missing.
  [[nodiscard]] bool made() const { return made_; }
  bool set(bool up) {
    return ip({"-n", main_namespace(), "link", "set", "cut0", up ? "up" : "down"});
  }
  [[nodiscard]] std::string main_namespace() const { return name_ + "-main"; }
  [[nodiscard]] std::string remote_namespace() const { return name_ + "-remote"; }

 private:
  static bool ip(const std::vector<std::string>& words) {
    std::vector<std::string> command = {"ip"};
    command.insert(command.end(), words.begin(), words.end());
    return Process(command).wait().exit_code == 0;
  }

  const std::string name_ = "drip-cut-" + std::to_string(getpid());
  bool made_ = false;
};

/// The environment's DRIPD is a program that runs the real one inside a namespace, while this
/// lives.
class DripdInside {
 public:
  explicit DripdInside(const std::string& network_namespace) {
    const std::string path = directory_.write(
        "dripd", "#!/bin/sh\nexec ip netns exec " + network_namespace + " " + dripd_ + " \"$@\"\n");
    Process({"chmod", "755", path}).wait();
    setenv("DRIPD", path.c_str(), 1);
  }
  ~DripdInside() { setenv("DRIPD", dripd_.c_str(), 1); }
  DripdInside(const DripdInside&) = delete;
  DripdInside& operator=(const DripdInside&) = delete;

 private:
  const std::string dripd_ = std::getenv("DRIPD");
  TemporaryDirectory directory_;
};

/// Redis and the nodes n1 and n2 in one namespace, and n3, which the link connects with them.
struct SeparableCluster {
  explicit SeparableCluster(const NetworkCut& link)
      : redis({"--bind", "127.0.0.1", "10.0.0.1", "--protected-mode", "no"}, nullptr,
              link.main_namespace()) {
    const std::string port = std::to_string(redis.port());
    const auto add = [&](const std::string& network_namespace, const std::string& redis_host,
                         const std::string& id) {
      const DripdInside inside(network_namespace);
      nodes.push_back(std::make_unique<ClusterNode>("redis://" + redis_host + ":" + port, id));
    };
    add(link.main_namespace(), "127.0.0.1", "n1");
    add(link.main_namespace(), "127.0.0.1", "n2");
    add(link.remote_namespace(), "10.0.0.1", "n3");
  }

  RedisServer redis;
  ClusterNodes nodes;
};

}  // namespace drip
