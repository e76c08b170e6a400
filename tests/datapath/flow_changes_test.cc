// SPDX-License-Identifier: BSD-3-Clause
// A per-flow rule changes while its flows go on: more flows and fewer, larger rings, another key.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "datapath/flow_buckets.h"
#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using Kind = RuleAction::Kind;

constexpr std::uint32_t kNet = 0x0a000000;  // 10.0.0.0
constexpr std::uint32_t kFrameBytes = 100;

class FlowChangesTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kRingSlots = 16;
  static constexpr std::uint32_t kNumber = 3;

  // A frame takes 1 ms.
  FlowChangesTest() {
    settings.bucket.capacity = kRingSlots;
    settings.bucket.bits_per_second = 8e3 * kFrameBytes;
    settings.bucket.departure = Departure::kAtStart;
    settings.key = {FlowKeyKind::kSource, 32, 128};
    settings.idle_timeout = Duration{20'000'000};
  }

  void use(std::uint32_t max_flows) {
    settings.max_flows = max_flows;
    limit = std::make_shared<FlowLimit>(max_flows);
    add_rings(rings, max_flows);
    table = std::make_unique<FlowTable>(settings, limit, &rings, 0, slots(max_flows));
    h.flows.add_table(kNumber, table.get());
    h.flow_paths.resize(kNumber + 1);
    h.flow_paths[kNumber].overflow = {Kind::kDrop, {}, 0};
    set_key(settings.key);
  }
  // What the workers classify by.
  void set_key(const FlowTemplateKey& key) {
    h.flow_paths[kNumber].key = key;
    h.set_rules({}, {}, {Kind::kFlows, {}, kNumber});
  }
  std::vector<std::uint32_t> slots(std::uint32_t count) {
    std::vector<std::uint32_t> result;
    for (std::uint32_t i = 0; i < count; ++i) result.push_back(h.take_slot());
    return result;
  }
  void add_rings(FlowRings& to, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) to.add(h.more_ring(to.ring_slots()), 0);
  }
  // As PollEngine does it.
  void grow(std::uint32_t max_flows) {
    add_rings(rings, max_flows - rings.size());
    const auto numbers = table->reserve(slots(max_flows - table->slot_count()));
    table->add_slots(numbers);
    if (auto more = table->larger_hash_table(table->slot_count())) {
      table->start_move(std::move(more));
    }
    limit->set(max_flows);
  }
  // As PollEngine does it.
  void change_key(const FlowTemplateKey& key) {
    for (std::uint32_t flow = 0; flow < table->number_count(); ++flow) {
      h.flows.set_apart(kNumber, flow, key, static_cast<std::uint8_t>(changes.size() + 1));
    }
    CommonFlowKey common = common_of({settings.key}, key);
    if (!changes.empty() && !changes.back()->done())
      common = common_of(changes.back()->common(), key);
    const auto number = static_cast<std::uint32_t>(changes.size());
    std::uint16_t live = static_cast<std::uint16_t>(1U << number);
    for (std::size_t i = 0; i < changes.size(); ++i) {
      if (!changes[i]->done()) live |= static_cast<std::uint16_t>(1U << i);
    }
    changes.push_back(std::make_unique<KeyChange>(common, settings.key));
    h.flows.change_key(kNumber, key, number, changes.back().get(), live, h.time);
    for (std::uint32_t flow = 0; flow < table->number_count(); ++flow) {
      h.flows.count_old_flow(kNumber, flow);
    }
    settings.key = key;
    set_key(key);
  }

  std::uint64_t arrive(std::uint32_t src, std::uint32_t dst = 9, std::uint16_t port = 1000) {
    return h.ports.arrive(0, udp_frame(kNet + src, kNet + dst, port, 2000, kFrameBytes));
  }
  void poll() {
    while (h.ports.queued(0) > 0) h.lcore.poll_once();
  }
  void run_ms(std::int64_t ms) { h.run_for(Duration{ms * 1'000'000}, Duration{50'000}); }
  std::vector<std::uint64_t> sent_ids() const {
    std::vector<std::uint64_t> ids;
    for (const FakeIo::Sent& sent : h.ports.sent(1)) ids.push_back(sent.id);
    return ids;
  }
  // The most frames that left within `span`.
  std::size_t most_within(Duration span) const {
    const auto& sent = h.ports.sent(1);
    std::size_t most = 0;
    for (std::size_t first = 0, last = 0; last < sent.size(); ++last) {
      while (sent[last].at - sent[first].at >= span) ++first;
      most = std::max(most, last - first + 1);
    }
    return most;
  }
  std::set<std::string> keys() const {
    std::set<std::string> texts;
    for (std::uint32_t flow = 0; flow < table->number_count(); ++flow) {
      if (const auto key = table->key_of(flow)) texts.insert(to_text(*key));
    }
    return texts;
  }
  void TearDown() override {
    EXPECT_TRUE(h.balanced());
    EXPECT_EQ(table->flows.get(), keys().size());
    EXPECT_EQ(h.transmitter.scheduler().live_buckets(), table->flows.get());
  }

  FlowRuleSettings settings;
  std::shared_ptr<FlowLimit> limit;
  FlowRings rings{kRingSlots, 1};
  FlowRings larger{4 * kRingSlots, 1};
  std::vector<std::unique_ptr<KeyChange>> changes;
  std::unique_ptr<FlowTable> table;
  Harness h;
};

TEST_F(FlowChangesTest, MoreFlowsFindRoomAndThoseThereAreGoOn) {
  use(2);
  for (int i = 0; i < 5; ++i) arrive(1);
  arrive(2);
  arrive(3);
  poll();
  EXPECT_EQ(table->refused.get(), 1U);
  run_ms(1);
  grow(300);
  // Found in the former hash table and in the present one, while they move and afterwards.
  std::unique_ptr<FlowHashTable> former;
  arrive(1);
  arrive(3);
  poll();
  EXPECT_TRUE(table->move_some(1, former));
  arrive(1);
  poll();
  while (table->move_some(1, former)) {
  }
  ASSERT_NE(former, nullptr);
  EXPECT_EQ(former->size(), 0U);
  arrive(1);
  for (std::uint32_t src = 4; src < 301; ++src) arrive(src);
  poll();
  EXPECT_EQ(table->flows.get(), 300U);
  EXPECT_EQ(table->created.get(), 300U);
  EXPECT_EQ(table->refused.get(), 1U);
  run_ms(10);
  EXPECT_EQ(h.ports.sent(1).size(), 8U + 1 + 1 + 297);
  run_ms(100);
  EXPECT_EQ(table->flows.get(), 0U);
  EXPECT_TRUE(table->empty());
}

TEST_F(FlowChangesTest, WithFewerFlowsThoseThereAreStayUntilTheyAreIdle) {
  use(8);
  for (std::uint32_t src = 0; src < 8; ++src) {
    for (int i = 0; i < 3; ++i) arrive(src);
  }
  poll();
  limit->set(2);
  EXPECT_FALSE(rings.remove(0)) << "all are in use";
  EXPECT_FALSE(table->remove_slot());
  arrive(7);
  arrive(8);
  poll();
  EXPECT_EQ(table->flows.get(), 8U);
  EXPECT_EQ(table->refused.get(), 1U);
  run_ms(5);
  EXPECT_EQ(h.ports.sent(1).size(), 25U) << "no backlog is lost";
  run_ms(100);
  EXPECT_EQ(table->flows.get(), 0U);
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(rings.remove(0));
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(table->remove_slot());
  for (std::uint32_t src = 0; src < 8; ++src) arrive(src);
  poll();
  EXPECT_EQ(table->flows.get(), 2U);
  EXPECT_EQ(rings.size(), 2U);
  // And more again, with other slots for the numbers that had lost theirs.
  grow(8);
  EXPECT_EQ(table->number_count(), 8U);
  for (std::uint32_t src = 0; src < 8; ++src) arrive(src);
  poll();
  EXPECT_EQ(table->flows.get(), 8U);
}

TEST_F(FlowChangesTest, LargerRingsTakeOverWhatWaits) {
  use(4);
  std::vector<std::uint64_t> expected;
  for (int i = 0; i < 10; ++i) expected.push_back(arrive(1));
  poll();
  run_ms(2);
  add_rings(larger, 4);
  table->replace_rings(&larger);
  settings.bucket.capacity = 4 * kRingSlots;
  h.flows.change_settings(kNumber, settings);
  arrive(2);  // A new flow has a new ring before the others are changed.
  poll();
  for (std::uint32_t flow = 0; flow < table->number_count(); ++flow) {
    h.flows.change_flow(kNumber, flow, h.time);
  }
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(rings.remove(0)) << "nobody has an old ring";
  for (int i = 0; i < 40; ++i) expected.push_back(arrive(1));
  poll();
  run_ms(60);
  EXPECT_EQ(h.drops(DropReason::kBucketFull), 0U);
  std::vector<std::uint64_t> ids = sent_ids();
  std::erase(ids, 10);  // The other flow's.
  EXPECT_EQ(ids, expected);
}

// ---- Another key

TEST_F(FlowChangesTest, ANewFlowWaitsUntilTheOldOneIsGone) {
  use(8);
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  run_ms(2);
  change_key({FlowKeyKind::kSource, 24, 128});
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.0/24", "10.0.0.1/32"}));
  run_ms(20);
  const std::vector<std::uint64_t> ids = sent_ids();
  EXPECT_EQ(ids.size(), 20U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_LE(most_within(Duration{900'000}), 1U) << "never at a second rate";
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.0/24"}));
}

TEST_F(FlowChangesTest, ANewFlowWithoutAnOldOneDoesNotWait) {
  use(8);
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  change_key({FlowKeyKind::kSource, 24, 128});
  arrive(256 + 1);
  poll();
  run_ms(1);
  const std::vector<std::uint64_t> ids = sent_ids();
  EXPECT_TRUE(std::ranges::count(ids, 10) == 1);
}

TEST_F(FlowChangesTest, OneOldFlowHoldsAllThatItIsDividedInto) {
  settings.key = {FlowKeyKind::kSource, 24, 128};
  use(8);
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  change_key({FlowKeyKind::kFiveTuple});
  for (std::uint16_t port = 1; port < 4; ++port) arrive(1, 9, port);
  arrive(512, 9, 1);
  poll();
  run_ms(5);
  EXPECT_EQ(h.ports.sent(1).size(), 6U + 1) << "only of the old flow, and of another network";
  run_ms(20);
  EXPECT_EQ(h.ports.sent(1).size(), 14U);
}

TEST_F(FlowChangesTest, KeysWithoutACommonPartWaitForAllOldFlows) {
  use(8);
  for (int i = 0; i < 10; ++i) arrive(1, 9);
  poll();
  change_key({FlowKeyKind::kDestination, 32, 128});
  arrive(2, 7);
  poll();
  run_ms(5);
  EXPECT_EQ(std::ranges::count(sent_ids(), 10), 0);
  run_ms(10);
  EXPECT_EQ(std::ranges::count(sent_ids(), 10), 1);
}

TEST_F(FlowChangesTest, WithAKeyThatComesBackWhatCameBeforeGoesFirst) {
  use(8);
  const FlowTemplateKey before = settings.key;
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  run_ms(2);
  change_key({FlowKeyKind::kSource, 24, 128});
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  run_ms(2);
  change_key(before);
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  EXPECT_EQ(table->flows.get(), 3U);
  run_ms(50);
  const std::vector<std::uint64_t> ids = sent_ids();
  EXPECT_EQ(ids.size(), 30U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_LE(most_within(Duration{900'000}), 1U) << "never at a second rate";
  for (const auto& change : changes) EXPECT_TRUE(change->done());
}

TEST_F(FlowChangesTest, AKeyComesBackAgainAndAgain) {
  use(16);
  const std::array keys_in_turn{FlowTemplateKey{FlowKeyKind::kSource, 24, 128}, settings.key,
                                FlowTemplateKey{FlowKeyKind::kFiveTuple}};
  for (std::size_t i = 0; i < 12; ++i) {
    for (int packet = 0; packet < 3; ++packet) arrive(1);
    poll();
    run_ms(1);
    change_key(keys_in_turn[i % 2 == 0 ? 0 : i % 3]);
  }
  for (int packet = 0; packet < 3; ++packet) arrive(1);
  poll();
  run_ms(80);
  const std::vector<std::uint64_t> ids = sent_ids();
  EXPECT_EQ(ids.size(), 39U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_LE(most_within(Duration{900'000}), 1U) << "never at a second rate";
  for (const auto& change : changes) EXPECT_TRUE(change->done());
}

TEST_F(FlowChangesTest, FlowsOfTwoChangesInARowWaitForEachOther) {
  use(8);
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  change_key({FlowKeyKind::kSource, 24, 128});
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  run_ms(2);
  change_key({FlowKeyKind::kSource, 16, 128});
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.0/16", "10.0.0.0/24", "10.0.0.1/32"}));
  run_ms(5);
  // While two are old already, one more.
  change_key({FlowKeyKind::kFiveTuple});
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  run_ms(50);
  const std::vector<std::uint64_t> ids = sent_ids();
  EXPECT_EQ(ids.size(), 40U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_LE(most_within(Duration{900'000}), 1U) << "never at a second rate";
  for (const auto& change : changes) EXPECT_TRUE(change->done());
}

TEST_F(FlowChangesTest, FlowsOfAKeyThatComesBackEndThoughTheirPacketsGoOn) {
  use(8);
  const FlowTemplateKey before = settings.key;
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  change_key({FlowKeyKind::kSource, 24, 128});
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  change_key(before);
  // It goes on for longer than what waits takes, and at half of the rate so that all of it leaves.
  for (int i = 0; i < 100; ++i) {
    if (i % 2 == 0) arrive(1);
    poll();
    run_ms(1);
  }
  run_ms(10);
  const std::vector<std::uint64_t> ids = sent_ids();
  EXPECT_EQ(ids.size() + h.drops(DropReason::kBucketFull), 70U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.1/32"}));
  EXPECT_EQ(table->flows.get(), 1U);
  for (const auto& change : changes) EXPECT_TRUE(change->done());
  // Of what was counted before nothing is left in the way of the next change.
  change_key({FlowKeyKind::kSource, 24, 128});
  arrive(1);
  poll();
  run_ms(5);
  EXPECT_EQ(sent_ids().size(), ids.size() + 1);
}

TEST_F(FlowChangesTest, HeldFlowsDrainWhenTheirRuleGoes) {
  use(8);
  for (int i = 0; i < 10; ++i) arrive(1);
  poll();
  change_key({FlowKeyKind::kSource, 24, 128});
  for (int i = 0; i < 5; ++i) arrive(1);
  poll();
  h.set_rules({}, {}, {Kind::kDrop, {}, 0});
  h.flows.retire_table(kNumber);
  run_ms(30);
  EXPECT_TRUE(table->retired.load());
  EXPECT_EQ(h.ports.sent(1).size(), 15U);
}

// ---- Rings that several transmitters share

TEST(FlowRingsTest, EachTransmitterTakesItsOwnFirst) {
  std::vector<RingEntry> memory(6 * 4);
  FlowRings rings(4, 2);
  for (std::uint32_t i = 0; i < 6; ++i) rings.add(&memory[std::size_t{i} * 4], i % 2);
  std::set<std::uint32_t> taken;
  for (int i = 0; i < 3; ++i) taken.insert(rings.take(1));
  EXPECT_EQ(taken, (std::set<std::uint32_t>{1, 3, 5}));
  for (int i = 0; i < 3; ++i) taken.insert(rings.take(1));
  EXPECT_EQ(taken.size(), 6U);
  EXPECT_EQ(rings.take(0), FlowRings::kNone);
  rings.give_back(4);
  EXPECT_EQ(rings.memory(4), &memory[16]);
  const auto removed = rings.remove(1);
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->memory, &memory[16]);
  EXPECT_EQ(removed->home, 0U);
  EXPECT_EQ(rings.size(), 5U);
}

TEST(FlowRingsTest, NoRingIsTakenTwiceByThreads) {
  constexpr std::uint32_t kRings = 8;
  constexpr std::uint32_t kThreads = 3;
  std::vector<RingEntry> memory(kRings * 4);
  FlowRings rings(4, 2);
  for (std::uint32_t i = 0; i < kRings; ++i) rings.add(&memory[std::size_t{i} * 4], i % 2);
  std::vector<std::atomic<int>> holders(kRings);
  std::atomic<bool> twice{false};
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 20'000; ++i) {
        const std::uint32_t ring = rings.take(thread % 2);
        if (ring == FlowRings::kNone) continue;
        if (holders[ring].fetch_add(1) != 0) twice = true;
        holders[ring].fetch_sub(1);
        rings.give_back(ring);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(twice);
  std::uint32_t count = 0;
  while (rings.remove(0)) ++count;
  EXPECT_EQ(count, kRings);
}

}  // namespace
}  // namespace drip::datapath
