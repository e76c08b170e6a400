// SPDX-License-Identifier: BSD-3-Clause
// Buckets move to and fro between real threads while these receive and send: each packet leaves or
// is counted as rejected, once, and those of a bucket that one thread received leave in their
// order.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "classifier/classifier.h"
#include "datapath/poll_engine/io_poll_thread.h"
#include "datapath/poll_engine/poll_engine.h"
#include "datapath/poll_engine/ports.h"
#include "support/frame_builder.h"
#include "support/wait_until.h"

namespace drip::datapath {
namespace {

constexpr std::uint32_t kBuckets = 24;
constexpr std::uint32_t kThreads = 2;
constexpr std::uint32_t kTrees = 2;

struct alignas(64) Packet {
  std::uint32_t bucket = 0;
  std::uint32_t receiver = 0;
  std::uint64_t number = 0;  // Of those that the receiver received for the bucket.
};

// What the threads share. Each bucket's part is touched by the thread that owns it alone, also
// while it moves: the thread sanitizer would tell otherwise.
struct Record {
  std::array<std::array<std::uint64_t, kThreads>, kBuckets> last{};  // Number that left last.
  std::array<std::uint64_t, kBuckets> sent{};
  std::array<std::uint64_t, kBuckets> out_of_order{};
  std::vector<std::vector<std::uint8_t>> frames;  // By bucket, then by receiver: a flow each.
  std::atomic<bool> receive{false};
  std::atomic<std::uint32_t> slow{0};
  std::array<std::atomic<std::uint64_t>, kThreads> received{};
  std::array<std::atomic<std::uint64_t>, kThreads> freed{};
};

// A port of which each thread has a receive queue, that brings packets of all buckets in turn.
class StormIo {
 public:
  StormIo(Record& record, std::uint32_t thread) : record_(record), thread_(thread) {}

  std::uint32_t rx(std::uint16_t, std::span<void*> out) {
    if (!record_.receive.load(std::memory_order_relaxed)) return 0;
    if (record_.slow.load(std::memory_order_relaxed) == thread_) rest();
    const std::size_t count = std::min<std::size_t>(out.size(), 1 + random() % 8);
    for (std::size_t i = 0; i < count; ++i) {
      auto* const packet = new Packet;
      packet->bucket = random() % kBuckets;
      packet->receiver = thread_;
      packet->number = ++numbers_[packet->bucket];
      out[i] = packet;
    }
    record_.received[thread_].fetch_add(count, std::memory_order_relaxed);
    return static_cast<std::uint32_t>(count);
  }
  std::uint32_t tx(std::uint16_t, std::span<void*> packets) {
    for (void* const address : packets) {
      const auto* const packet = static_cast<Packet*>(address);
      std::uint64_t& last = record_.last[packet->bucket][packet->receiver];
      if (packet->number <= last) ++record_.out_of_order[packet->bucket];
      last = packet->number;
      ++record_.sent[packet->bucket];
      delete packet;
    }
    return static_cast<std::uint32_t>(packets.size());
  }
  [[nodiscard]] bool takes(std::uint16_t) const { return true; }
  void free(std::span<void*> packets) {
    for (void* const address : packets) delete static_cast<Packet*>(address);
    record_.freed[thread_].fetch_add(packets.size(), std::memory_order_relaxed);
  }
  FrameBytes frame(void* packet) {
    const std::span<std::uint8_t> bytes = writable_bytes(packet);
    return {bytes, static_cast<std::uint32_t>(bytes.size())};
  }
  std::span<std::uint8_t> writable_bytes(void* packet) {
    const auto* const of = static_cast<Packet*>(packet);
    return record_.frames[of->bucket * kThreads + of->receiver];
  }
  void prefetch(void*) {}
  [[nodiscard]] std::uint16_t rx_queues() const { return 1; }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t) const { return 9000; }
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t, const FrameBytes&) const {
    return {};
  }

 private:
  // So that what the other thread hands over fills the ring, and jobs come before it.
  static void rest() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
    while (std::chrono::steady_clock::now() < end) {
    }
  }
  std::uint32_t random() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 33);
  }

  Record& record_;
  std::uint32_t thread_;
  std::uint64_t state_ = 1 + thread_;
  std::array<std::uint64_t, kBuckets> numbers_{};
};
static_assert(PacketIo<StormIo>);

class OnePort final : public Ports {
 public:
  [[nodiscard]] std::uint16_t count() const override { return 1; }
  [[nodiscard]] std::vector<std::string> names() const override { return {"p"}; }
  [[nodiscard]] std::vector<PortStats> read(std::span<const std::uint64_t>) const override {
    return std::vector<PortStats>(1);
  }
  [[nodiscard]] std::uint64_t packets_for_buckets() const override { return 1 << 20; }
  [[nodiscard]] std::uint64_t packets() const override { return 1 << 20; }
  [[nodiscard]] std::uint64_t packets_free() const override { return 1 << 20; }
  [[nodiscard]] bool hugepages() const override { return false; }
  void thread_begins(std::uint32_t) override {}
  void thread_ends(std::uint32_t) override {}
};

class BucketMovesTest : public testing::Test {
 protected:
  BucketMovesTest() {
    for (std::uint32_t i = 0; i < kBuckets * kThreads; ++i) {
      record_.frames.push_back(FrameBuilder()
                                   .ipv4({.dst = ipv4_address(0x0a000000 + i / kThreads)})
                                   .ports(1, static_cast<std::uint16_t>(2 + i % kThreads))
                                   .raw(Bytes(40, 0))
                                   .build());
    }
    EngineOptions options;
    for (std::uint32_t i = 0; i < kThreads; ++i) {
      options.lcores.push_back({LcoreStats::Role::kFused, -1, -1, true, 0});
      ios_.emplace_back(record_, i);
    }
    options.buckets_per_transmitter = 256;
    options.ring_memory_bytes = 16 << 20;
    engine_ = std::make_unique<PollEngine>(options, poll_threads_over(ios_), ports_, clock_);
    // Some of each: mostly empty, mostly full, in between; below a spread root, in a tree that
    // moves as a whole, or in no tree; with a fair queue or without.
    BucketChange root;
    root.settings.bits_per_second = 1e9;
    root.node = {.inner = true, .spread = true};
    EXPECT_TRUE(engine_->apply(std::span(&root, 1)).ok());
    root_ = *root.ref;
    for (std::uint32_t tree = 0; tree < kTrees; ++tree) {
      std::vector<BucketChange> inner(2);
      inner[0].settings.bits_per_second = 20e6 * (1 + tree);
      inner[0].node = {.inner = true};
      inner[1].settings.bits_per_second = 1e9;
      inner[1].node = {.inner = true, .parent_change = 0};
      inner[1].node->share.guaranteed_bits_per_second = 5e6;
      for (BucketChange& node : inner) node.settings.capacity = 0;
      EXPECT_TRUE(engine_->apply(inner).ok());
      for (std::size_t i = 0; i < 2; ++i) {
        trees_[tree].inner[i] = inner[i].settings;
        trees_[tree].refs[i] = *inner[i].ref;
      }
      trees_[tree].share = inner[1].node->share;
    }
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      BucketSettings settings;
      settings.capacity = 16U << (i % 6);
      settings.bits_per_second = i % 3 == 0 ? 400e9 : 2e6 * (1 + i);
      if (has_queue(i)) settings.queue.kind = QueueKind::kFair;
      settings.departure = i % 2 == 0 || has_queue(i) ? Departure::kAtStart : Departure::kAtEnd;
      settings_.push_back(settings);
      BucketChange change;
      change.settings = settings;
      if (is_child(i)) change.node = NodeChange{.parent = root_, .share = share_of(i)};
      if (const std::optional<std::uint32_t> tree = tree_of(i)) {
        change.node = NodeChange{.parent = trees_[*tree].refs[place_of(i)], .share = share_of(i)};
      }
      EXPECT_TRUE(engine_->apply(std::span(&change, 1)).ok());
      refs_.push_back(*change.ref);
    }
    set_rules();
  }

  static bool has_queue(std::uint32_t bucket) { return bucket % 3 == 1; }
  static bool is_child(std::uint32_t bucket) { return bucket % 4 == 3; }
  // Each of three leaves: below the root, and below the other inner node.
  static std::optional<std::uint32_t> tree_of(std::uint32_t bucket) {
    if (bucket % 4 != 2) return std::nullopt;
    return bucket / 4 % kTrees;
  }
  static std::uint32_t place_of(std::uint32_t bucket) { return bucket / 8 % 2; }
  static NodeSettings share_of(std::uint32_t bucket) {
    NodeSettings share;
    share.weight = 1 + bucket;
    if (bucket % 8 == 7) share.guaranteed_bits_per_second = 1e6;
    return share;
  }

  void set_rules() {
    std::vector<ClassifierRule> rules;
    auto snapshot = std::make_shared<RuleSnapshot>();
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      ClassifierRule& rule = rules.emplace_back();
      rule.match.dst_prefix = *IpPrefix::parse("10.0.0." + std::to_string(i));
      rule.result = i;
      snapshot->actions.emplace_back(RuleAction::Kind::kBucket, refs_[i]);
    }
    snapshot->classifier = std::move(Classifier::build(rules)).value();
    snapshot->prepare_workers(engine_->worker_count());
    EXPECT_TRUE(engine_->swap_rules(snapshot, refs_).ok());
  }

  // Moves some buckets to the other thread; returns how many have moved.
  std::uint32_t move_some(std::uint32_t first, std::uint32_t count) {
    std::vector<BucketMove> moves;
    std::vector<BucketRef*> moving;
    const auto add = [&](BucketRef& ref, const BucketSettings& settings, NodeSettings share) {
      moves.push_back({ref, 1 - ref.transmitter, settings, {}, share});
      moving.push_back(&ref);
    };
    for (std::uint32_t i = 0; i < count; ++i) {
      const std::uint32_t bucket = (first + i) % kBuckets;
      if (!tree_of(bucket)) add(refs_[bucket], settings_[bucket], share_of(bucket));
    }
    const std::uint32_t number = first % kTrees;
    Tree& tree = trees_[number];
    const std::size_t root = moves.size();
    add(tree.refs[0], tree.inner[0], {});
    add(tree.refs[1], tree.inner[1], tree.share);
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      if (tree_of(i) != number) continue;
      add(refs_[i], settings_[i], share_of(i));
      moves.back().parent = place_of(i);
    }
    moves[root].nodes = static_cast<std::uint32_t>(moves.size() - root);
    engine_->move(moves);
    std::uint32_t moved = 0;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      EXPECT_TRUE(i < root || moves[i].moved.has_value() == moves[root].moved.has_value());
      if (!moves[i].moved) continue;
      *moving[i] = *moves[i].moved;
      ++moved;
    }
    trees_moved_ += static_cast<std::uint32_t>(moves[root].moved.has_value());
    return moved;
  }

  Record record_;
  std::vector<StormIo> ios_;
  OnePort ports_;
  TscClock clock_;
  std::vector<BucketSettings> settings_;
  std::vector<BucketRef> refs_;
  BucketRef root_;
  struct Tree {
    std::array<BucketSettings, 2> inner;
    std::array<BucketRef, 2> refs;
    NodeSettings share;  // Of the lower one.
  };
  std::array<Tree, kTrees> trees_;
  std::uint32_t trees_moved_ = 0;
  std::unique_ptr<PollEngine> engine_;
};

TEST_F(BucketMovesTest, NothingIsLostOrOvertakenUnderLoad) {
  const MemoryStats before = engine_->memory();
  std::vector<std::uint64_t> admitted(kBuckets);
  record_.receive = true;
  std::uint32_t moved = 0;
  for (std::uint32_t round = 0; round < 40; ++round) {
    record_.slow = round / 4 % 2;
    moved += move_some(round * 7, 1 + round % kBuckets);
    // Counts never go back.
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      const std::uint64_t now = engine_->read(refs_[i]).admitted;
      ASSERT_GE(now, admitted[i]) << "bucket " << i;
      admitted[i] = now;
    }
  }
  EXPECT_GT(moved, 300U);
  EXPECT_GT(trees_moved_, 20U);
  record_.receive = false;
  ASSERT_TRUE(wait_until([&] {
    std::uint64_t waiting = 0;
    for (const LcoreStats& lcore : engine_->lcores()) waiting += lcore.waiting_packets;
    return waiting == 0;
  }));
  EXPECT_EQ(engine_->memory().reserved_bytes, before.reserved_bytes);
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < kBuckets; ++i) {
    const BucketStats stats = engine_->read(refs_[i]);
    EXPECT_EQ(stats.node_state.has_value(), is_child(i) || tree_of(i));
    seen += stats.departed;
    for (const std::uint64_t rejected : stats.rejected) seen += rejected;
    // A fair queue that is full drops another packet than the newcomer.
    EXPECT_EQ(stats.admitted, stats.departed + stats.dropped) << "bucket " << i;
    EXPECT_TRUE(stats.dropped == 0 || has_queue(i)) << "bucket " << i;
    seen += stats.dropped;
    EXPECT_EQ(stats.backlog, 0U);
    EXPECT_EQ(std::reduce(stats.sojourn.counts.begin(), stats.sojourn.counts.end(), 0ULL),
              stats.departed);
  }
  for (const LcoreStats& lcore : engine_->lcores()) {
    seen += lcore.drops[static_cast<std::size_t>(DropReason::kHandOffFull)];
  }
  // What left a tree was counted at each of its nodes, wherever that was.
  for (std::uint32_t number = 0; number < kTrees; ++number) {
    std::array<std::uint64_t, 2> departed{};
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      if (tree_of(i) != number) continue;
      const std::uint64_t of_leaf = engine_->read(refs_[i]).departed;
      departed[0] += of_leaf;
      if (place_of(i) == 1) departed[1] += of_leaf;
    }
    for (std::size_t node = 0; node < 2; ++node) {
      EXPECT_EQ(engine_->read(trees_[number].refs[node]).departed, departed[node]) << node;
    }
    EXPECT_GT(departed[1], 0U);
  }
  const std::uint64_t received = record_.received[0] + record_.received[1];
  EXPECT_GT(received, 100'000U);
  EXPECT_EQ(seen, received);
  engine_->drain_and_stop(Duration{0});
  std::uint64_t sent = 0;
  for (std::uint32_t i = 0; i < kBuckets; ++i) {
    sent += record_.sent[i];
    EXPECT_EQ(record_.out_of_order[i], 0U) << "bucket " << i;
    EXPECT_GT(record_.sent[i], 0U);
  }
  EXPECT_EQ(sent + record_.freed[0] + record_.freed[1], received);
}

TEST_F(BucketMovesTest, WhatCannotMoveStays) {
  // One in which a request waits, one that is leased, two of a tree, one with DualPI2.
  BucketSettings slow = settings_[0];
  slow.bits_per_second = 0;
  slow.units_per_second = 1.0 / 3600;
  BucketSettings leased = slow;
  leased.rate_is_leased = true;
  BucketSettings dual = settings_[0];
  dual.departure = Departure::kAtStart;
  dual.queue.aqm = Aqm::kDualPi2;
  std::vector<BucketChange> changes = {{std::nullopt, slow, {}, false},
                                       {std::nullopt, leased, {}, false},
                                       {std::nullopt, {}, NodeChange{.inner = true}, false},
                                       {std::nullopt, slow, NodeChange{.parent_change = 2}, false},
                                       {std::nullopt, dual, {}, false}};
  changes[2].settings.capacity = 0;
  changes[2].settings.bits_per_second = 1e9;
  ASSERT_TRUE(engine_->apply(changes).ok());
  RequestRecord first;
  RequestRecord second;
  engine_->admit(*changes[0].ref, first, 0);
  engine_->admit(*changes[0].ref, second, 0);
  for (const BucketChange& change : changes) {
    BucketMove move{*change.ref, 1 - change.ref->transmitter, change.settings, {}};
    engine_->move(std::span(&move, 1));
    EXPECT_FALSE(move.moved);
    EXPECT_FALSE(engine_->read(*change.ref).admitted > 2);
  }
  // Of a tree all stay, and what was reserved for the others is free again.
  RequestRecord in_tree;
  RequestRecord behind;
  engine_->admit(*changes[3].ref, in_tree, 0);
  engine_->admit(*changes[3].ref, behind, 0);
  const std::uint64_t reserved = engine_->memory().reserved_bytes;
  std::vector<BucketMove> tree;
  for (const std::size_t i : {2, 3}) {
    tree.push_back({*changes[i].ref, 1 - changes[i].ref->transmitter, changes[i].settings, {}});
  }
  tree[0].nodes = 2;
  engine_->move(tree);
  EXPECT_FALSE(tree[0].moved || tree[1].moved);
  EXPECT_EQ(engine_->memory().reserved_bytes, reserved);
  engine_->release(*changes[3].ref, in_tree);
  engine_->release(*changes[3].ref, behind);
  engine_->move(tree);
  EXPECT_TRUE(tree[0].moved && tree[1].moved);
  EXPECT_EQ(engine_->memory().reserved_bytes, reserved);
  engine_->release(*changes[0].ref, second);
  EXPECT_EQ(second.state.load(), RequestRecord::State::kReleased);
}

}  // namespace
}  // namespace drip::datapath
