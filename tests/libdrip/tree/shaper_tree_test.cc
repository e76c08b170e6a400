// SPDX-License-Identifier: BSD-3-Clause
// Trees through the Shaper: every error, memory that comes back, and no allocation.
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "drip/shaper.h"
#include "libdrip/drawn_seed.h"
#include "support/counted_allocations.h"

namespace drip::test {
namespace {

constexpr TimePoint kStart{1'000'000'000};

struct Packet {
  std::uint64_t number = 0;
};

BucketSettings rate(double bits_per_second, std::uint32_t capacity = 64) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = Departure::kAtStart;
  return settings;
}
NodeSettings under(std::uint32_t parent, double guaranteed_bits_per_second = 0) {
  NodeSettings share;
  share.parent = parent;
  share.guaranteed_bits_per_second = guaranteed_bits_per_second;
  return share;
}

class ShaperTree : public testing::Test {
 protected:
  std::uint32_t inner(double bits_per_second, const NodeSettings& share = {}) {
    const auto node = shaper_.add_inner_node(rate(bits_per_second, 0), share, kStart);
    EXPECT_TRUE(node.ok()) << node.error();
    return *node;
  }
  std::uint32_t leaf(const NodeSettings& share, double bits_per_second = 1e9) {
    const auto node = shaper_.add_bucket(rate(bits_per_second), share, kStart);
    EXPECT_TRUE(node.ok()) << node.error();
    return *node;
  }
  std::string leaf_error(const NodeSettings& share, double bits_per_second = 1e9) {
    const auto node = shaper_.add_bucket(rate(bits_per_second), share, kStart);
    return node.ok() ? "" : node.error();
  }
  std::string change_error(std::uint32_t id, const NodeSettings& share) {
    const auto error = shaper_.change_node(id, share, kStart);
    return error ? error->message : "";
  }
  void enqueue(std::uint32_t id, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(shaper_.enqueue(id, &packets_[i], 1000, now_), RejectReason::kAdmitted);
    }
  }
  std::size_t dequeue_until(TimePoint end) {
    std::array<Packet*, 32> out{};
    std::size_t count = 0;
    for (;;) {
      const auto next = shaper_.next_departure();
      if (!next || *next > end) return count;
      now_ = std::max(now_, *next);
      count += shaper_.dequeue(now_, out);
    }
  }

  Shaper<Packet> shaper_{
      {.max_buckets = 64, .ring_slots = 4096, .start = kStart, .max_inner_nodes = 12}};
  std::array<Packet, 64> packets_;
  TimePoint now_ = kStart;
};

TEST_F(ShaperTree, ErrorsNameFieldValueAndWhatIsAllowed) {
  const std::uint32_t root = inner(100e6);
  const std::uint32_t site = inner(0, under(root, 60e6));
  const std::uint32_t a = leaf(under(site, 40e6));
  enqueue(a, 3);
  NodeSettings share = under(site);
  share.weight = 1001;
  EXPECT_EQ(leaf_error(share), "weight: 1001 given, 1 to 1000 allowed");
  share.weight = 0;
  EXPECT_EQ(leaf_error(share), "weight: 0 given, 1 to 1000 allowed");
  share = under(site);
  share.priority = 8;
  EXPECT_EQ(leaf_error(share), "priority: 8 given, 0 to 7 allowed");
  share = under(site);
  share.tolerance = Duration{-1};
  EXPECT_EQ(leaf_error(share), "tolerance.ns: -1 given, 0 to 10000000000 allowed");
  EXPECT_EQ(leaf_error(under(site, 0.5)),
            "guaranteed_bits_per_second: 0.5 given, 1 to 4e+11, or 0 for no such rate, allowed");
  EXPECT_EQ(leaf_error(under(64)), "parent: 64 given, a bucket below 64 allowed");
  EXPECT_EQ(leaf_error(under(20)), "parent: 20 does not exist");
  EXPECT_EQ(leaf_error(under(a)),
            "parent: " + std::to_string(a) +
                " is a leaf with a capacity of 64 and a backlog of 3, an inner node is allowed");
  EXPECT_EQ(leaf_error(under(site, 30e6)),
            "guaranteed_bits_per_second: the children of " + std::to_string(site) +
                " would have 70000000 together, at most its own 60000000 is allowed");
  EXPECT_EQ(leaf_error(under(root, 41e6)),
            "guaranteed_bits_per_second: the children of " + std::to_string(root) +
                " would have 101000000 together, at most its own 100000000 is allowed");
  EXPECT_EQ(leaf_error(under(site, 2e6), 1e6),
            "guaranteed_bits_per_second: 2000000, at most the bucket's own bits_per_second of "
            "1000000 is allowed");
  EXPECT_EQ(change_error(site, under(root, 39e6)),
            "guaranteed_bits_per_second: its children would have 40000000 together, at most its "
            "own 39000000 is allowed");
  EXPECT_EQ(change_error(root, under(site)), "parent: " + std::to_string(site) +
                                                 " is below bucket " + std::to_string(root) +
                                                 ", a node that is not is allowed");
  EXPECT_EQ(
      change_error(site, under(site)),
      "parent: " + std::to_string(site) + " is the bucket itself, a node that is not is allowed");
  const auto lower = shaper_.change_bucket(root, rate(59e6, 0), kStart);
  ASSERT_TRUE(lower);
  EXPECT_EQ(lower->message,
            "guaranteed_bits_per_second: its children would have 60000000 together, at most its "
            "own 59000000 is allowed");
  const auto with_queue = shaper_.add_inner_node(rate(1e6, 5), {}, kStart);
  ASSERT_FALSE(with_queue.ok());
  EXPECT_EQ(with_queue.error(),
            "capacity: 5 given, 0 allowed for an inner node: only leaves hold units");
  EXPECT_EQ(change_error(63, under(root)), "bucket: 63 does not exist");
  // A guarantee that is moved counts at the new parent and not at the old one any more.
  EXPECT_EQ(change_error(a, under(root, 40e6)), "");
  EXPECT_EQ(leaf_error(under(site, 60e6)), "");
  EXPECT_EQ(leaf_error(under(root, 1e6)),
            "guaranteed_bits_per_second: the children of " + std::to_string(root) +
                " would have 101000000 together, at most its own 100000000 is allowed");
}

TEST_F(ShaperTree, DepthIsThatOfTheWholeSubtree) {
  std::uint32_t at = inner(1e9);
  for (int level = 2; level <= 7; ++level) at = inner(0, under(at));
  const std::uint32_t deepest = leaf(under(at));
  const std::uint32_t eighth = inner(0, under(at));
  EXPECT_EQ(leaf_error(under(eighth)), "parent: " + std::to_string(eighth) +
                                           " given, the tree would have 9 levels, at most 8 are "
                                           "allowed");
  const std::uint32_t other = inner(1e9);
  const std::uint32_t below = inner(0, under(other));
  leaf(under(below));
  EXPECT_EQ(change_error(below, under(at)), "parent: " + std::to_string(at) +
                                                " given, the tree would have 9 levels, at most 8 "
                                                "are allowed");
  shaper_.remove_bucket(deepest, [](Packet*) {});
  // Its height is known, however often it has changed.
  shaper_.remove_bucket(eighth, [](Packet*) {});
  const auto error = shaper_.add_bucket(rate(1e6), under(at), kStart);
  EXPECT_TRUE(error.ok());
}

TEST_F(ShaperTree, SaysWhatIsUsedUp) {
  for (int i = 0; i < 12; ++i) inner(1e9);
  const auto one_more = shaper_.add_inner_node(rate(1e9, 0), {}, kStart);
  ASSERT_FALSE(one_more.ok());
  EXPECT_EQ(one_more.error(), "max_inner_nodes: all 12 inner nodes are in use");
  ShaperOptions options;
  options.max_buckets = 4;
  options.max_inner_nodes = 5;
  EXPECT_EQ(check(options)->message, "max_inner_nodes: 5 given, 0 to 4 allowed");
}

TEST_F(ShaperTree, ASubtreeIsRemovedOrDrainedAsAWhole) {
  for (const bool drop : {true, false}) {
    const std::uint32_t root = inner(100e6);
    const std::uint32_t site = inner(0, under(root));
    std::vector<std::uint32_t> leaves;
    for (int i = 0; i < 5; ++i) leaves.push_back(leaf(under(i % 2 == 0 ? site : root)));
    for (const std::uint32_t id : leaves) enqueue(id, 4);
    std::uint64_t dropped = 0;
    if (drop) {
      EXPECT_EQ(shaper_.remove_bucket(root, [&](Packet*) { ++dropped; }), 20U);
      EXPECT_EQ(dropped, 20U);
      EXPECT_FALSE(shaper_.next_departure());
    } else {
      EXPECT_EQ(shaper_.drain_bucket(root), 20U);
      EXPECT_EQ(leaf_error(under(site)), "parent: " + std::to_string(site) + " is being removed");
      EXPECT_EQ(dequeue_until(now_ + Duration{10'000'000}), 20U);
    }
    for (const std::uint32_t id : leaves) EXPECT_FALSE(shaper_.has_bucket(id));
    EXPECT_FALSE(shaper_.has_bucket(root));
  }
  // All of the memory has come back.
  for (int i = 0; i < 12; ++i) inner(1e9);
  for (int i = 0; i < 52; ++i) {
    ASSERT_TRUE(shaper_.add_bucket(rate(1e6, 4), kStart).ok());
  }
}

TEST_F(ShaperTree, ANodeIsInsertedAboveOthers) {
  const std::uint32_t root = inner(100e6);
  const std::uint32_t a = leaf(under(root));
  const std::uint32_t b = leaf(under(root));
  const std::uint32_t c = leaf(under(root));
  for (const std::uint32_t id : {a, b, c}) enqueue(id, 60);
  EXPECT_GE(dequeue_until(now_ + Duration{1'000'000}), 12U);
  const std::uint32_t site = inner(10e6, under(root));
  EXPECT_EQ(change_error(a, under(site)), "");
  EXPECT_EQ(change_error(b, under(site)), "");
  const std::uint64_t before = shaper_.stats(a).departed + shaper_.stats(b).departed;
  dequeue_until(now_ + Duration{2'000'000});
  // 2.5 packets of 1000 bytes in 2 ms at 10 Mbit/s, and the first one.
  const std::uint64_t after = shaper_.stats(a).departed + shaper_.stats(b).departed;
  EXPECT_GE(after - before, 2U);
  EXPECT_LE(after - before, 4U);
  EXPECT_EQ(shaper_.stats(site).departed, after - before);
  EXPECT_EQ(shaper_.stats(site).admitted, after - before) << "and none of them waits in it";
  dequeue_until(now_ + Duration{1'000'000'000});
  for (const std::uint32_t id : {a, b, c}) EXPECT_EQ(shaper_.stats(id).departed, 60U);
}

TEST_F(ShaperTree, AllocatesNothingAfterSetUp) {
  std::array<Packet*, 32> out{};
  const std::size_t before = allocations;
  for (int round = 0; round < 300; ++round) {
    const auto root = shaper_.add_inner_node(rate(100e6, 0), {}, now_);
    const auto site = shaper_.add_inner_node(rate(0, 0), under(*root, 50e6), now_);
    const auto a = shaper_.add_bucket(rate(1e9, 16), under(*site, 10e6), now_);
    const auto b = shaper_.add_bucket(rate(1e9, 16), under(*root), now_);
    for (std::size_t i = 0; i < 8; ++i) {
      (void)shaper_.enqueue(*a, &packets_[i], 1000, now_);
      (void)shaper_.enqueue(*b, &packets_[8 + i], 1000, now_);
    }
    (void)shaper_.change_node(*b, under(*site, 5e6), now_);
    now_ = now_ + Duration{200'000};
    shaper_.dequeue(now_, out);
    shaper_.remove_bucket(*root, [](Packet*) {});
  }
  EXPECT_EQ(allocations - before, 0U);
}

}  // namespace
}  // namespace drip::test
