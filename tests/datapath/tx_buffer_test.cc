// SPDX-License-Identifier: BSD-3-Clause
// The bursts of each port by themselves: room, reserve, order, what stays and what is freed.
#include "datapath/tx_buffer.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace drip::datapath {
namespace {

using Stage = TxBuffer<FakePorts>;

class TxStageTest : public testing::Test {
 protected:
  void add(std::uint16_t port, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      ports.arrive(0, {1});
      void* packet = nullptr;
      ASSERT_EQ(ports.rx(0, std::span(&packet, 1)), 1U);
      stage.add(port, packet);
    }
  }
  void TearDown() override {
    stage.drop_all();
    EXPECT_EQ(ports.alive(), 0U);
  }

  TimePoint time{1'000'000'000};
  FakePorts ports{3, &time};
  Stage stage{ports, 3};
};

TEST_F(TxStageTest, AFullBurstGoesByItselfAndTheRestAtTheFlush) {
  add(1, Stage::kBurst - 1);
  EXPECT_EQ(ports.sent(1).size(), 0U);
  EXPECT_EQ(stage.waiting(), Stage::kBurst - 1);
  add(1, 1);
  EXPECT_EQ(ports.sent(1).size(), Stage::kBurst);
  EXPECT_EQ(stage.waiting(), 0U);
  add(1, 1);
  add(2, 1);
  stage.flush();
  EXPECT_EQ(ports.sent(1).size(), Stage::kBurst + 1);
  EXPECT_EQ(ports.sent(2).size(), 1U);
  EXPECT_EQ(ports.sent(0).size(), 0U);
  EXPECT_EQ(stage.waiting(), 0U);
  EXPECT_EQ(stage.sent(), Stage::kBurst + 2);
  EXPECT_EQ(stage.retries(1), 0U);
}

TEST_F(TxStageTest, RoomEndsBeforeTheReserveAndTheReserveAtTheEnd) {
  ports.set_room(1, 0);
  for (std::uint32_t held = 0; held < Stage::kSlots; ++held) {
    EXPECT_EQ(stage.has_room(1), held < Stage::kSlots - Stage::kReserved) << held;
    EXPECT_TRUE(stage.has_reserved_room(1)) << held;
    add(1, 1);
  }
  EXPECT_FALSE(stage.has_room(1));
  EXPECT_FALSE(stage.has_reserved_room(1));
  EXPECT_EQ(stage.waiting(), Stage::kSlots);
  // The port was asked after each burst, not for each packet.
  EXPECT_EQ(stage.retries(1), Stage::kSlots / Stage::kBurst);
  // Each port for itself.
  EXPECT_TRUE(stage.has_room(0));
  EXPECT_TRUE(stage.has_room(2));
}

TEST_F(TxStageTest, WhatThePortDoesNotTakeStaysInOrderAndIsCounted) {
  ports.set_room(1, 0);
  add(1, 10);
  stage.flush();
  EXPECT_EQ(stage.retries(1), 1U);
  EXPECT_EQ(stage.waiting(), 10U);
  ports.set_room(1, 1);
  stage.flush();
  EXPECT_EQ(stage.retries(1), 2U);
  ports.set_room(1, 8);
  stage.flush();
  EXPECT_EQ(stage.retries(1), 3U);
  EXPECT_EQ(stage.waiting(), 1U);
  EXPECT_EQ(stage.sent(), 9U);
  ports.set_room(1, SIZE_MAX);
  stage.flush();
  EXPECT_EQ(stage.retries(1), 3U);
  ASSERT_EQ(ports.sent(1).size(), 10U);
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_EQ(ports.sent(1)[i].id, i);
  EXPECT_EQ(stage.retries(0) + stage.retries(2), 0U);
}

TEST_F(TxStageTest, WhatIsDroppedIsFreedOnceAndLeavesTheStageEmpty) {
  ports.set_room(1, 0);
  ports.set_room(2, 0);
  add(1, 5);
  add(2, 7);
  EXPECT_EQ(stage.drop_all(), 12U);
  EXPECT_EQ(ports.dropped(), 12U);
  EXPECT_EQ(ports.alive(), 0U);
  EXPECT_EQ(stage.waiting(), 0U);
  EXPECT_EQ(stage.drop_all(), 0U);
  // And can be used again.
  ports.set_room(1, SIZE_MAX);
  add(1, 3);
  stage.flush();
  EXPECT_EQ(ports.sent(1).size(), 3U);
  EXPECT_EQ(stage.sent(), 3U);
}

}  // namespace
}  // namespace drip::datapath
