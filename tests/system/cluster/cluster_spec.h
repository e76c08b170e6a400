// SPDX-License-Identifier: BSD-3-Clause
// What a bucket promises (docs/guide/leaky-bucket.md), on a cluster: each call goes to the next
// node.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <thread>

#include "nodes/cluster_fixture.h"

namespace drip {

/// A sleep of a test is taken as the time that really passed, since a machine that
/// stalls sleeps longer.
class ClusterSpec : public ClusterFixture {
 protected:
  using Clock = std::chrono::steady_clock;

  static double seconds_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }
  static void sleep_seconds(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  ClusterNode& next_node() { return node(next_++ % nodes_->size()); }
  v1::AllowRequestResponse allow() { return next_node().client().allow(id_); }
  // A burst, the first of which arrives between began_ and first_.
  void burst(int times) {
    began_ = Clock::now();
    for (int i = 0; i < times; ++i) {
      EXPECT_TRUE(allow().allowed()) << i;
      if (i == 0) first_ = Clock::now();
    }
  }

  std::size_t next_ = 0;
  std::string id_;
  double rate_ = 0;
  Clock::time_point began_, first_;
};

}  // namespace drip
