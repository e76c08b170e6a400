// SPDX-License-Identifier: BSD-3-Clause
// The bursts of each port: room, reserve, order, retries, drops.
#include "datapath/tx_buffer.h"

#include <gtest/gtest.h>

#include "fakes.h"

namespace drip::datapath {
namespace {

using Buffer = TxBuffer<FakeIo>;

class TxBufferTest : public testing::Test {
 protected:
  void add(std::uint16_t port, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      ports.arrive(0, {1});
      void* packet = nullptr;
      ASSERT_EQ(ports.rx(0, std::span(&packet, 1)), 1U);
      buffer.add(port, packet);
    }
  }
  std::uint64_t drop_all() {
    return buffer.drop_all([this](void* packet) { ports.free(std::span(&packet, 1)); });
  }
  void TearDown() override {
    drop_all();
    EXPECT_EQ(ports.alive(), 0U);
  }

  TimePoint time{1'000'000'000};
  FakeIo ports{3, &time};
  Buffer buffer{ports, 3};
};

TEST_F(TxBufferTest, AFullBurstIsSentAtOnceAndTheRestAtFlush) {
  add(1, Buffer::kBurst - 1);
  EXPECT_EQ(ports.sent(1).size(), 0U);
  EXPECT_EQ(buffer.waiting(), Buffer::kBurst - 1);
  add(1, 1);
  EXPECT_EQ(ports.sent(1).size(), Buffer::kBurst);
  EXPECT_EQ(buffer.waiting(), 0U);
  add(1, 1);
  add(2, 1);
  buffer.flush();
  EXPECT_EQ(ports.sent(1).size(), Buffer::kBurst + 1);
  EXPECT_EQ(ports.sent(2).size(), 1U);
  EXPECT_EQ(ports.sent(0).size(), 0U);
  EXPECT_EQ(buffer.waiting(), 0U);
  EXPECT_EQ(buffer.sent(), Buffer::kBurst + 2);
  EXPECT_EQ(buffer.retries(1), 0U);
}

TEST_F(TxBufferTest, DataHasNoRoomInTheReserveForControlTraffic) {
  ports.set_room(1, 0);
  for (std::uint32_t held = 0; held < Buffer::kSlots; ++held) {
    EXPECT_EQ(buffer.has_room(1), held < Buffer::kSlots - Buffer::kReserved) << held;
    EXPECT_TRUE(buffer.has_reserved_room(1)) << held;
    add(1, 1);
  }
  EXPECT_FALSE(buffer.has_room(1));
  EXPECT_FALSE(buffer.has_reserved_room(1));
  EXPECT_EQ(buffer.waiting(), Buffer::kSlots);
  // The port was asked after each burst, not for each packet.
  EXPECT_EQ(buffer.retries(1), Buffer::kSlots / Buffer::kBurst);
  // Each port for itself.
  EXPECT_TRUE(buffer.has_room(0));
  EXPECT_TRUE(buffer.has_room(2));
}

TEST_F(TxBufferTest, PacketsThatThePortDoesNotTakeStayInOrderAndAreCounted) {
  ports.set_room(1, 0);
  add(1, 10);
  buffer.flush();
  EXPECT_EQ(buffer.retries(1), 1U);
  EXPECT_EQ(buffer.waiting(), 10U);
  ports.set_room(1, 1);
  buffer.flush();
  EXPECT_EQ(buffer.retries(1), 2U);
  ports.set_room(1, 8);
  buffer.flush();
  EXPECT_EQ(buffer.retries(1), 3U);
  EXPECT_EQ(buffer.waiting(), 1U);
  EXPECT_EQ(buffer.sent(), 9U);
  ports.set_room(1, SIZE_MAX);
  buffer.flush();
  EXPECT_EQ(buffer.retries(1), 3U);
  ASSERT_EQ(ports.sent(1).size(), 10U);
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_EQ(ports.sent(1)[i].id, i);
  EXPECT_EQ(buffer.retries(0) + buffer.retries(2), 0U);
}

TEST_F(TxBufferTest, APortWhoseLinkIsDownIsGivenNothingAndHasNoRoom) {
  ports.set_link(1, false);
  add(1, 3);
  EXPECT_TRUE(buffer.has_room(1));
  buffer.flush();
  EXPECT_FALSE(buffer.has_room(1));
  EXPECT_FALSE(buffer.has_reserved_room(1));
  EXPECT_TRUE(buffer.has_room(2));
  EXPECT_EQ(buffer.waiting(), 3U);
  EXPECT_EQ(buffer.sent(), 0U);
  EXPECT_EQ(buffer.retries(1), 0U);
  ports.set_link(1, true);
  buffer.flush();
  EXPECT_TRUE(buffer.has_room(1));
  EXPECT_EQ(ports.sent(1).size(), 3U);
  EXPECT_EQ(buffer.sent(1), 3U);
  EXPECT_EQ(buffer.sent(2), 0U);
}

TEST_F(TxBufferTest, DroppedPacketsAreFreedOnceAndTheBufferIsEmpty) {
  ports.set_room(1, 0);
  ports.set_room(2, 0);
  add(1, 5);
  add(2, 7);
  EXPECT_EQ(drop_all(), 12U);
  EXPECT_EQ(ports.dropped(), 12U);
  EXPECT_EQ(ports.alive(), 0U);
  EXPECT_EQ(buffer.waiting(), 0U);
  EXPECT_EQ(drop_all(), 0U);
  // And can be used again.
  ports.set_room(1, SIZE_MAX);
  add(1, 3);
  buffer.flush();
  EXPECT_EQ(ports.sent(1).size(), 3U);
  EXPECT_EQ(buffer.sent(), 3U);
}

}  // namespace
}  // namespace drip::datapath
