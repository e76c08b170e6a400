// SPDX-License-Identifier: BSD-3-Clause
// A cluster of three nodes that all tests of a suite use, each with buckets of its own.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>

#include "nodes/node_group.h"
#include "support/redis_server.h"

namespace drip {

/// A test that kills a node starts it again before it ends.
class ClusterFixture : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    redis_ = std::make_unique<RedisServer>();
    nodes_ = std::make_unique<ClusterNodes>(three_nodes(redis_->url()));
  }
  static void TearDownTestSuite() {
    nodes_.reset();
    redis_.reset();
  }
  static ClusterNode& node(std::size_t index) { return *nodes_->at(index); }

  inline static std::unique_ptr<RedisServer> redis_;
  inline static std::unique_ptr<ClusterNodes> nodes_;
};

}  // namespace drip
