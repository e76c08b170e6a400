// SPDX-License-Identifier: BSD-3-Clause
// What one loop of a polling thread does, and in which order.
#include "datapath/poll_loop.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

constexpr std::uint16_t kBuckets = 1000;
constexpr std::uint16_t kOther = 30'000;  // No bucket's.
constexpr std::uint32_t kBurst = RxWorker<FakeIo>::kBurst;

class PollLoopTest : public testing::Test {
 protected:
  // A bucket for each destination port from 20000 on, and all other packets dropped.
  void add_buckets(Departure departure) {
    BucketSettings settings;
    settings.capacity = 4;
    settings.units_per_second = 1000;
    settings.departure = departure;
    std::vector<ClassifierRule> rules(kBuckets);
    std::vector<RuleAction> actions;
    for (std::uint16_t i = 0; i < kBuckets; ++i) {
      rules[i].match.dst_port = PortRange{port_of(i), port_of(i)};
      rules[i].result = i;
      actions.push_back({RuleAction::Kind::kBucket, BucketRef{0, h.add_bucket(settings)}, 0});
    }
    h.set_rules(rules, std::move(actions), {RuleAction::Kind::kDrop, {}, 0});
  }
  static std::uint16_t port_of(std::uint16_t bucket) {
    return static_cast<std::uint16_t>(bucket + 20'000);
  }
  void arrive(std::uint16_t port) { h.ports.arrive(0, udp_frame(1, 2, 3, port, 100)); }
  // One packet in each bucket, all of which are due now.
  void make_all_due() {
    add_buckets(Departure::kAtEnd);
    for (std::uint16_t i = 0; i < kBuckets; ++i) arrive(port_of(i));
    while (h.ports.queued(0) > 0) h.lcore.poll_once();
    h.time = h.time + Duration{2'000'000};
  }
  std::uint64_t departed() {
    return h.transmitter.tx_buffer().sent() + h.transmitter.tx_buffer().waiting();
  }
  void TearDown() override { EXPECT_TRUE(h.balanced()); }

  Harness h;
};

// The time of a loop is known when the next one begins.
TEST_F(PollLoopTest, TimeInUseIsThatOfLoopsThatFoundSomething) {
  add_buckets(Departure::kAtStart);
  h.lcore.poll_once();
  for (const bool busy : {true, false, true, true, false}) {
    if (busy) arrive(kOther);
    h.lcore.poll_once();
    h.time = h.time + Duration{3'000};
  }
  h.lcore.poll_once();
  EXPECT_EQ(h.counters.busy_loops.get(), 3U);
  EXPECT_EQ(h.counters.busy_ns.get(), 9'000U);
}

TEST_F(PollLoopTest, AFullReceiveQueueKeepsItsShareOfALoopThatIsLate) {
  make_all_due();
  for (std::uint32_t i = 0; i < 2 * kBurst; ++i) arrive(kOther);
  const std::uint64_t received = h.counters.rx_packets.get();
  for (std::uint64_t loop = 1; loop <= 2; ++loop) {
    h.lcore.poll_once();
    EXPECT_EQ(h.counters.rx_packets.get(), received + loop * kBurst);
    EXPECT_EQ(departed(), loop * Transmitter<FakeIo>::kDeparturesBesideFullBurst);
  }
  // Nothing more has come: departures catch up faster.
  const std::uint64_t before = departed();
  arrive(kOther);
  h.lcore.poll_once();
  EXPECT_EQ(departed(), before + Transmitter<FakeIo>::kDeparturesACall);
}

TEST_F(PollLoopTest, WhatIsDueMakesRoomForWhatArrives) {
  add_buckets(Departure::kAtEnd);
  for (int i = 0; i < 4; ++i) arrive(port_of(0));
  h.lcore.poll_once();
  EXPECT_EQ(h.bucket(0).backlog.get(), 4U);
  arrive(port_of(0));
  h.time = h.time + Duration{1'000'000};
  h.lcore.poll_once();
  EXPECT_EQ(h.bucket(0).rejected[static_cast<std::size_t>(RejectReason::kFull)].get(), 0U);
  EXPECT_EQ(h.bucket(0).backlog.get(), 4U);
  EXPECT_EQ(departed(), 1U);
}

TEST_F(PollLoopTest, HandlesWhatItTookOnce) {
  add_buckets(Departure::kAtStart);
  arrive(port_of(0));
  EXPECT_EQ(h.worker.take(), 1U);
  EXPECT_FALSE(h.worker.took_full_burst());
  VirtualClock clock{&h.time};
  h.worker.handle(clock);
  EXPECT_EQ(departed(), 1U);
  h.worker.handle(clock);  // Nothing twice.
  EXPECT_EQ(departed(), 1U);
  EXPECT_EQ(h.worker.take(), 0U);
  h.transmitter.flush();
}

}  // namespace
}  // namespace drip::datapath
