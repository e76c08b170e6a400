// SPDX-License-Identifier: BSD-3-Clause
// Buckets of flows: created with the flow, bounded in number, removed when the flow is idle.
#include "datapath/flow_buckets.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using Kind = RuleAction::Kind;

constexpr std::uint32_t kNet = 0x0a000000;  // 10.0.0.0
constexpr Duration kMillisecond{1'000'000};

BucketSettings bits(std::uint32_t capacity, double bits_per_second) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = Departure::kAtStart;
  return settings;
}

class FlowBucketsTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kRingSlots = 64;
  static constexpr std::uint32_t kNumber = 5;

  FlowBucketsTest() { settings.bucket = bits(16, 8e3); }  // 100 bytes: 100 ms.

  // All UDP packets belong to the rule; flows without room go to a bucket for them.
  void use(std::uint32_t max_flows, FlowKeyKind kind = FlowKeyKind::kFiveTuple,
           std::uint8_t prefix = 32, Duration idle_timeout = Duration{10'000'000}) {
    settings.key = {kind, prefix, 64};
    settings.max_flows = max_flows;
    settings.idle_timeout = idle_timeout;
    limit = std::make_shared<FlowLimit>(max_flows);
    std::vector<std::uint32_t> slots;
    for (std::uint32_t i = 0; i < max_flows; ++i) slots.push_back(h.take_slot());
    for (std::uint32_t i = 0; i < max_flows; ++i) rings.add(h.more_ring(kRingSlots), 0);
    table = std::make_unique<FlowTable>(settings, limit, &rings, 0, slots);
    h.flows.add_table(kNumber, table.get());
    fallback = h.add_bucket(bits(4096, 8e9));
    overflow = h.add_bucket(bits(4096, 8e9));
    h.flow_paths.resize(kNumber + 1);
    h.flow_paths[kNumber] = {settings.key, {Kind::kBucket, BucketRef{0, overflow}, 0}};
    ClassifierRule udp;
    udp.match.ip_protocol = 17;
    h.set_rules(std::vector{udp}, {{Kind::kFlows, {}, kNumber}},
                {Kind::kBucket, BucketRef{0, fallback}, 0});
  }
  void arrive(std::uint32_t src, std::uint32_t dst, std::uint16_t src_port = 1000) {
    h.ports.arrive(0, udp_frame(kNet + src, kNet + dst, src_port, 2000, 100));
  }
  void poll() {
    while (h.ports.queued(0) > 0) h.lcore.poll_once();
  }
  void run_ms(std::int64_t ms) { h.run_for(Duration{ms * kMillisecond.ns}, Duration{100'000}); }
  std::set<std::string> keys() const {
    std::set<std::string> texts;
    for (std::uint32_t flow = 0; flow < table->number_count(); ++flow) {
      if (const auto key = table->key_of(flow)) texts.insert(to_text(*key));
    }
    return texts;
  }
  // The bucket of the only flow.
  Bucket& bucket(std::uint32_t flow = 0) { return h.bucket(table->slot(flow)); }
  // How many more flows the limit allows.
  std::uint32_t room() const {
    std::uint32_t count = 0;
    while (limit->acquire()) ++count;
    for (std::uint32_t i = 0; i < count; ++i) limit->release();
    return count;
  }
  void expect_consistent() const {
    EXPECT_TRUE(h.balanced());
    EXPECT_EQ(table->flows.get(), keys().size());
    EXPECT_EQ(table->flows.get() + room(), settings.max_flows);
    EXPECT_EQ(h.transmitter.scheduler().live_buckets(), table->flows.get() + others);
  }
  void TearDown() override { expect_consistent(); }

  FlowRuleSettings settings;
  std::shared_ptr<FlowLimit> limit;
  FlowRings rings{kRingSlots, 1};
  std::unique_ptr<FlowTable> table;
  Harness h;
  std::uint32_t fallback = 0;
  std::uint32_t overflow = 0;
  std::uint64_t others = 2;  // Buckets of no flow.
};

TEST_F(FlowBucketsTest, ACaptureOfAFlowEndsWithIt) {
  settings.bucket = bits(16, 8e6);
  use(1, FlowKeyKind::kSource);
  arrive(1, 9);
  poll();
  const std::uint32_t slot = table->slot(0);
  CaptureRing ring({});
  h.transmitter.begin_capture(slot, ring);
  arrive(1, 9);
  poll();
  EXPECT_TRUE(h.transmitter.is_captured(slot));
  EXPECT_EQ(ring.matched(), 1U);
  run_ms(30);
  ASSERT_EQ(table->flows.get(), 0U);
  EXPECT_FALSE(h.transmitter.is_captured(slot));
  // Another flow gets its place.
  arrive(2, 9);
  poll();
  ASSERT_EQ(table->slot(0), slot);
  EXPECT_FALSE(h.transmitter.is_captured(slot));
  EXPECT_EQ(ring.matched(), 1U);
  h.transmitter.end_capture(slot);
}

// What each flow's bucket lets go is charged to the node above them, which divides its rate.
TEST_F(FlowBucketsTest, BelowANodeTheyShareItsRateUntilTheyAreIdle) {
  settings.bucket = bits(60, 80e3);  // 100 bytes: 10 ms.
  BucketSettings node;
  node.bits_per_second = 80e3;
  const std::uint32_t up = h.take_slot();
  h.transmitter.create(up, node, nullptr, 0, h.time);
  settings.parent = BucketRef{0, up};
  use(4);
  others = 3;
  for (int i = 0; i < 50; ++i) {
    arrive(1, 2, 1000);
    arrive(1, 2, 1001);
  }
  poll();
  ASSERT_EQ(table->flows.get(), 2U);
  run_ms(400);
  const auto departed = [&](std::uint32_t flow) { return bucket(flow).departed.get(); };
  EXPECT_NEAR(static_cast<double>(departed(0) + departed(1)), 41, 1);
  EXPECT_NEAR(static_cast<double>(departed(0)), static_cast<double>(departed(1)), 1);
  EXPECT_EQ(h.bucket(up).departed.get(), departed(0) + departed(1));
  // Another weight for flows that there are.
  FlowRuleSettings wanted = settings;
  wanted.share.weight = 3;
  h.flows.change_settings(kNumber, wanted);
  h.flows.change_flow(kNumber, 0, h.time);
  const std::uint64_t first = departed(0);
  const std::uint64_t second = departed(1);
  run_ms(320);
  EXPECT_NEAR(static_cast<double>(departed(0) - first), 24, 1);
  EXPECT_NEAR(static_cast<double>(departed(1) - second), 8, 1);
  // Nothing of them is left below the node once they are idle.
  run_ms(1000);
  EXPECT_EQ(table->flows.get(), 0U);
  EXPECT_EQ(h.transmitter.scheduler().tree().structure().children(up), 0U);
}

TEST_F(FlowBucketsTest, OneForEachFiveTuple) {
  use(16);
  for (int i = 0; i < 3; ++i) {
    arrive(1, 2, 1000);
    arrive(1, 2, 1001);
    arrive(3, 2, 1000);
    arrive(1, 4, 1000);
  }
  poll();
  EXPECT_EQ(keys(), (std::set<std::string>{
                        "10.0.0.1:1000>10.0.0.2:2000/udp", "10.0.0.1:1001>10.0.0.2:2000/udp",
                        "10.0.0.3:1000>10.0.0.2:2000/udp", "10.0.0.1:1000>10.0.0.4:2000/udp"}));
  EXPECT_EQ(table->created.get(), 4U);
  EXPECT_EQ(table->refused.get(), 0U);
  // Each flow has its own schedule: its first packet departs at once, the next 100 ms later.
  run_ms(1);
  EXPECT_EQ(h.ports.sent(1).size(), 4U);
  run_ms(100);
  EXPECT_EQ(h.ports.sent(1).size(), 8U);
  for (std::uint32_t flow = 0; flow < 4; ++flow) EXPECT_EQ(bucket(flow).admitted.get(), 3U);
}

TEST_F(FlowBucketsTest, OneForEachSourceNetwork) {
  use(16, FlowKeyKind::kSource, 24);
  arrive(1, 2);
  arrive(200, 3);
  arrive(0x105, 2);
  poll();
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.0/24", "10.0.1.0/24"}));
}

TEST_F(FlowBucketsTest, OneForEachDestination) {
  use(16, FlowKeyKind::kDestination, 32);
  arrive(1, 2);
  arrive(1, 3);
  arrive(9, 3);
  poll();
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.2/32", "10.0.0.3/32"}));
}

TEST_F(FlowBucketsTest, NoMoreThanMaxFlows) {
  use(8, FlowKeyKind::kSource);
  for (std::uint32_t src = 0; src < 12; ++src) arrive(src, 1);
  poll();
  EXPECT_EQ(table->flows.get(), 8U);
  EXPECT_EQ(table->created.get(), 8U);
  EXPECT_EQ(table->refused.get(), 4U);
  EXPECT_EQ(h.bucket(overflow).admitted.get(), 4U);
  // Existing flows are not affected.
  arrive(0, 1);
  arrive(11, 1);
  poll();
  EXPECT_EQ(table->refused.get(), 5U);
  EXPECT_EQ(h.bucket(overflow).admitted.get(), 5U);
}

TEST_F(FlowBucketsTest, TheBoundIsOverAllTransmitters) {
  use(8, FlowKeyKind::kSource);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limit->acquire());  // Another transmitter's.
  for (std::uint32_t src = 0; src < 12; ++src) arrive(src, 1);
  poll();
  EXPECT_EQ(table->flows.get(), 3U);
  EXPECT_EQ(room(), 0U);
  EXPECT_EQ(table->refused.get(), 9U);
  for (int i = 0; i < 5; ++i) limit->release();
}

TEST_F(FlowBucketsTest, ARuleWithoutATableUsesItsOverflow) {
  use(8);
  h.flow_paths.resize(8);
  h.set_rules({}, {}, {Kind::kFlows, {}, 7});
  arrive(1, 2);
  poll();
  run_ms(1);
  EXPECT_EQ(h.counters.passed_packets.get(), 1U);
  EXPECT_EQ(table->created.get(), 0U);
}

TEST_F(FlowBucketsTest, BucketsOfIdleFlowsAreRemoved) {
  settings.bucket = bits(16, 8e6);
  use(8, FlowKeyKind::kSource);
  for (std::uint32_t src = 0; src < 8; ++src) arrive(src, 1);
  poll();
  run_ms(5);
  arrive(3, 1);
  poll();
  EXPECT_EQ(table->flows.get(), 8U);
  run_ms(8);
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.3/32"}));
  run_ms(8);
  EXPECT_EQ(table->flows.get(), 0U);
  for (std::uint32_t src = 20; src < 28; ++src) arrive(src, 1);
  poll();
  EXPECT_EQ(table->flows.get(), 8U);
  EXPECT_EQ(table->refused.get(), 0U);
  EXPECT_EQ(bucket(0).admitted.get(), 1U);  // A new bucket, with new counters.
}

TEST_F(FlowBucketsTest, GoingIdleGivesNoCredit) {
  use(8);
  const TimePoint begin = h.time;
  arrive(1, 2);
  poll();
  run_ms(50);  // Idle for five times the timeout, and still in service.
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
  EXPECT_EQ(table->flows.get(), 1U);
  arrive(1, 2);
  poll();
  run_ms(49);
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
  run_ms(2);
  ASSERT_EQ(h.ports.sent(1).size(), 2U);
  EXPECT_EQ((h.ports.sent(1)[1].at - begin).ns, 100 * kMillisecond.ns);
  EXPECT_EQ(table->created.get(), 1U);
  run_ms(98);  // 199: the second one's service ends at 200.
  EXPECT_EQ(table->flows.get(), 1U);
  run_ms(2);
  EXPECT_EQ(table->flows.get(), 0U);
}

TEST_F(FlowBucketsTest, AFlowWithABacklogStays) {
  use(8);
  for (int i = 0; i < 5; ++i) arrive(1, 2);
  poll();
  run_ms(395);
  EXPECT_EQ(table->flows.get(), 1U);
  EXPECT_EQ(bucket().backlog.get(), 1U);
  run_ms(200);
  EXPECT_EQ(h.ports.sent(1).size(), 5U);
  EXPECT_EQ(table->flows.get(), 0U);
}

TEST_F(FlowBucketsTest, ARefusedFlowMakesRoomForTheNext) {
  settings.bucket = bits(16, 8e9);
  use(64, FlowKeyKind::kSource);
  for (std::uint32_t src = 0; src < 64; ++src) arrive(src, 1);
  poll();
  run_ms(1);
  h.time = h.time + Duration{20'000'000};
  for (std::uint32_t src = 100; src < 120; ++src) arrive(src, 1);
  h.lcore.poll_once();  // One loop: its own sweep comes after what it receives.
  EXPECT_EQ(table->refused.get(), 1U);
  EXPECT_EQ(table->created.get(), 64U + 19);
}

TEST_F(FlowBucketsTest, SettingsChangeLive) {
  use(8, FlowKeyKind::kSource, 32, Duration{1'000'000'000});
  for (int i = 0; i < 6; ++i) arrive(1, 9);
  poll();
  run_ms(50);
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
  FlowRuleSettings wanted = settings;
  wanted.bucket = bits(8, 80e3);
  wanted.idle_timeout = Duration{20'000'000};
  h.flows.change_settings(kNumber, wanted);
  for (std::uint32_t flow = 0; flow < 8; ++flow) h.flows.change_flow(kNumber, flow, h.time);
  // 50 ms were left and are 5 now; then one each 10 ms.
  EXPECT_EQ(bucket().capacity, 8U);
  run_ms(6);
  EXPECT_EQ(h.ports.sent(1).size(), 2U);
  run_ms(10);
  EXPECT_EQ(h.ports.sent(1).size(), 3U);
  for (int i = 0; i < 20; ++i) arrive(2, 9);  // A new flow has them as well.
  poll();
  EXPECT_EQ(h.drops(DropReason::kBucketFull), 12U);
  run_ms(130);
  EXPECT_EQ(h.ports.sent(1).size(), 14U);
  EXPECT_EQ(table->flows.get(), 0U);
}

TEST_F(FlowBucketsTest, RetiresWhenItHasDrained) {
  use(8, FlowKeyKind::kSource, 32, Duration{1'000'000'000});
  for (int i = 0; i < 3; ++i) arrive(1, 9);
  arrive(2, 9);
  poll();
  h.set_rules({}, {}, {Kind::kDrop, {}, 0});
  h.flows.retire_table(kNumber);
  run_ms(195);
  EXPECT_FALSE(table->retired.load());
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.1/32"}));  // The other one is empty.
  run_ms(10);
  EXPECT_TRUE(table->retired.load());
  EXPECT_EQ(h.ports.sent(1).size(), 4U);
}

TEST_F(FlowBucketsTest, TakesNoNewFlowsWhileItRetires) {
  use(8, FlowKeyKind::kSource);
  for (int i = 0; i < 3; ++i) arrive(1, 9);
  poll();
  h.flows.retire_table(kNumber);
  arrive(2, 9);
  poll();
  EXPECT_EQ(table->created.get(), 1U);
  EXPECT_EQ(h.bucket(overflow).admitted.get(), 1U);
}

TEST_F(FlowBucketsTest, FragmentsOfOneDatagramAreOneFlow) {
  use(8);
  for (const std::uint8_t offset : {0, 10, 20}) {
    auto frame = udp_frame(kNet + 1, kNet + 2, offset, offset, 100);
    frame[20] = offset < 20 ? 0x20 : 0;
    frame[21] = offset;
    h.ports.arrive(0, frame);
  }
  poll();
  EXPECT_EQ(keys(), (std::set<std::string>{"10.0.0.1>10.0.0.2/udp"}));
  EXPECT_EQ(bucket().admitted.get(), 3U);
}

TEST_F(FlowBucketsTest, CountsStayConsistentWhileFlowsComeAndGo) {
  const std::uint64_t seed = std::random_device{}();
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  settings.bucket = bits(4, 8e6);
  use(50, FlowKeyKind::kSource, 32, Duration{3'000'000});
  for (int step = 0; step < 20'000; ++step) {
    // At times few flows, at others more than there is room for.
    const std::uint64_t flows = step / 1000 % 2 == 0 ? 20 : 200;
    if (random() % 3 == 0) arrive(static_cast<std::uint32_t>(random() % flows), 1);
    if (random() % 2000 == 0) {
      settings.bucket =
          bits(static_cast<std::uint32_t>(1 + random() % 60), 1e6 * (1 + random() % 9));
      FlowRuleSettings wanted = settings;
      wanted.idle_timeout = Duration{2'000'000};
      h.flows.change_settings(kNumber, wanted);
      for (std::uint32_t flow = 0; flow < 50; ++flow) h.flows.change_flow(kNumber, flow, h.time);
    }
    h.lcore.poll_once();
    h.time = h.time + Duration{static_cast<std::int64_t>(random() % 20'000)};
    if (step % 50 == 0) expect_consistent();
  }
  EXPECT_GT(table->created.get(), 500U);
  EXPECT_GT(table->refused.get(), 10U);
  run_ms(1000);
  EXPECT_EQ(table->flows.get(), 0U);
  EXPECT_EQ(h.transmitter.waiting_packets(), 0U);
}

}  // namespace
}  // namespace drip::datapath
