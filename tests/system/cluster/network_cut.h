// SPDX-License-Identifier: BSD-3-Clause
// Two network namespaces and a link that can be cut, and dripds that run in one of them.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temporary_directory.h"

namespace drip {

/// 10.0.0.1 in home(), 10.0.0.2 in away(). Removed with the object.
class NetworkCut {
 public:
  NetworkCut() {
    made_ = ip({"netns", "add", home()}) && ip({"netns", "add", away()}) &&
            ip({"-n", home(), "link", "add", "cut0", "type", "veth", "peer", "name", "cut0",
                "netns", away()}) &&
            ip({"-n", home(), "address", "add", "10.0.0.1/30", "dev", "cut0"}) &&
            ip({"-n", away(), "address", "add", "10.0.0.2/30", "dev", "cut0"}) &&
            ip({"-n", home(), "link", "set", "lo", "up"}) &&
            ip({"-n", away(), "link", "set", "cut0", "up"}) && set(true);
  }
  ~NetworkCut() {
    ip({"netns", "del", away()});
    ip({"netns", "del", home()});
  }
  NetworkCut(const NetworkCut&) = delete;
  NetworkCut& operator=(const NetworkCut&) = delete;

  /// False where the right to make namespaces is missing.
  [[nodiscard]] bool made() const { return made_; }
  bool set(bool up) { return ip({"-n", home(), "link", "set", "cut0", up ? "up" : "down"}); }
  [[nodiscard]] std::string home() const { return name_ + "-home"; }
  [[nodiscard]] std::string away() const { return name_ + "-away"; }

 private:
  static bool ip(const std::vector<std::string>& words) {
    std::vector<std::string> command = {"ip"};
    command.insert(command.end(), words.begin(), words.end());
    return Process(command).wait().exit_code == 0;
  }

  const std::string name_ = "drip-cut-" + std::to_string(getpid());
  bool made_ = false;
};

/// DRIPD is a program that runs the real one inside a namespace, while this lives.
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

}  // namespace drip
