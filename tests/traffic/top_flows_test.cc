// SPDX-License-Identifier: BSD-3-Clause
#include "traffic/top_flows.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>

namespace drip::traffic {
namespace {

FlowKey key(std::uint16_t port) {
  FlowKey flow;
  flow.src_port = port;
  return flow;
}

TEST(TopFlows, CountsExactlyWhileThereAreFew) {
  TopFlows flows;
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t port = 1; port <= TopFlows::kFlows; ++port) flows.add(key(port), port);
  }
  const auto sorted = flows.sorted();
  ASSERT_EQ(sorted.size(), TopFlows::kFlows);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const auto port = static_cast<std::uint16_t>(TopFlows::kFlows - i);
    EXPECT_EQ(sorted[i].key, key(port));
    EXPECT_EQ(sorted[i].bytes, 3U * port);
    EXPECT_EQ(sorted[i].overrated, 0U);
  }
  EXPECT_EQ(flows.total_bytes(), 3U * TopFlows::kFlows * (TopFlows::kFlows + 1) / 2);
}

TEST(TopFlows, NoneYet) {
  EXPECT_TRUE(TopFlows().sorted().empty());
  EXPECT_EQ(TopFlows().total_bytes(), 0U);
}

// The bounds of the paper, theorem 1 and lemma 3, for any stream.
TEST(TopFlows, KeepsWhoHasMoreThanItsShareAndSaysByHowMuchItErrs) {
  std::mt19937_64 random(1);
  for (int stream = 0; stream < 50; ++stream) {
    TopFlows flows;
    std::map<std::uint16_t, std::uint64_t> truth;
    std::uint64_t total = 0;
    for (int i = 0; i < 5000; ++i) {
      // About as 1/rank.
      const auto port =
          static_cast<std::uint16_t>(1000.0 / (1.0 + static_cast<double>(random() % 1000)));
      const std::uint64_t bytes = 60 + random() % 1440;
      flows.add(key(port), bytes);
      truth[port] += bytes;
      total += bytes;
    }
    EXPECT_EQ(flows.total_bytes(), total);
    std::map<std::uint16_t, TopFlows::Flow> kept;
    for (const TopFlows::Flow& flow : flows.sorted()) kept[flow.key.src_port] = flow;
    for (const auto& [port, bytes] : truth) {
      if (bytes > total / TopFlows::kFlows) {
        EXPECT_TRUE(kept.contains(port)) << port;
      }
    }
    for (const auto& [port, flow] : kept) {
      EXPECT_GE(flow.bytes, truth[port]);
      EXPECT_LE(flow.bytes - flow.overrated, truth[port]);
      EXPECT_LE(flow.overrated, total / TopFlows::kFlows);
    }
  }
}

}  // namespace
}  // namespace drip::traffic
