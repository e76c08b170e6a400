// SPDX-License-Identifier: BSD-3-Clause
// A connection between a client (direction 0) and a server (1), by a clock of milliseconds.
#include "traffic/tcp_flow.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace drip::traffic {
namespace {

constexpr std::size_t kClient = 0, kServer = 1;

TimePoint at_ms(std::uint64_t ms) { return {ms * 1'000'000}; }
Duration ms(std::int64_t count) { return Duration{count * 1'000'000}; }

TcpFields stamped(std::uint32_t sequence, std::uint32_t length, std::uint32_t value,
                  std::uint32_t echo) {
  TcpFields fields;
  fields.sequence = sequence;
  fields.length = length;
  fields.ack = true;
  fields.timestamps = true;
  fields.ts_value = value;
  fields.ts_echo = echo;
  return fields;
}
TcpFields plain(std::uint32_t sequence, std::uint32_t length, std::uint32_t acknowledgment) {
  TcpFields fields;
  fields.sequence = sequence;
  fields.length = length;
  fields.ack = true;
  fields.acknowledgment = acknowledgment;
  return fields;
}

TEST(TcpFlow, MeasuresFromATimeStampToItsEcho) {
  TcpFlow flow;
  EXPECT_FALSE(flow.add(kClient, stamped(1, 100, 500, 9), at_ms(10)).round_trip);
  const auto echo = flow.add(kServer, stamped(1, 0, 70, 500), at_ms(35));
  EXPECT_EQ(echo.round_trip, ms(25));
  EXPECT_FALSE(echo.takes_sequence);
  // Echoed once more: by then it says how long the server had nothing to send.
  EXPECT_FALSE(flow.add(kServer, stamped(1, 50, 80, 500), at_ms(300)).round_trip);
  // The data of the server is measured towards the client.
  EXPECT_EQ(flow.add(kClient, stamped(101, 0, 501, 80), at_ms(307)).round_trip, ms(7));
}

TEST(TcpFlow, OfOneTimeStampTheFirstSegmentCounts) {
  TcpFlow flow;
  (void)flow.add(kClient, stamped(1, 100, 500, 0), at_ms(10));
  (void)flow.add(kClient, stamped(101, 100, 500, 0), at_ms(11));
  EXPECT_EQ(flow.add(kServer, stamped(1, 0, 70, 500), at_ms(30)).round_trip, ms(20));
}

TEST(TcpFlow, DoesNotMeasureFromABareAcknowledgment) {
  TcpFlow flow;
  (void)flow.add(kClient, stamped(1, 0, 500, 0), at_ms(10));
  EXPECT_FALSE(flow.add(kServer, stamped(1, 50, 70, 500), at_ms(900)).round_trip);
}

TEST(TcpFlow, AnEchoOfALaterSegmentEndsTheEarlierOnes) {
  TcpFlow flow;
  (void)flow.add(kClient, stamped(1, 100, 500, 0), at_ms(10));
  (void)flow.add(kClient, stamped(101, 100, 505, 0), at_ms(15));
  EXPECT_EQ(flow.add(kServer, stamped(1, 0, 70, 505), at_ms(30)).round_trip, ms(15));
  EXPECT_FALSE(flow.add(kServer, stamped(1, 0, 71, 500), at_ms(31)).round_trip);
}

TEST(TcpFlow, KeepsFewMarksAndGoesOnWhenTheyAreEchoed) {
  TcpFlow flow;
  for (std::uint32_t i = 0; i < 100; ++i) {
    (void)flow.add(kClient, stamped(1 + 100 * i, 100, 500 + i, 0), at_ms(i));
  }
  // The ninth was not remembered, nor any after it.
  EXPECT_EQ(flow.add(kServer, stamped(1, 0, 70, 507), at_ms(150)).round_trip, ms(143));
  EXPECT_FALSE(flow.add(kServer, stamped(1, 0, 71, 599), at_ms(151)).round_trip);
  (void)flow.add(kClient, stamped(10001, 100, 700, 0), at_ms(160));
  EXPECT_EQ(flow.add(kServer, stamped(1, 0, 72, 700), at_ms(170)).round_trip, ms(10));
}

TEST(TcpFlow, TimeStampsAndSequenceNumbersWrap) {
  TcpFlow flow;
  (void)flow.add(kClient, stamped(0xffffffb0, 100, 0xffffffff, 0), at_ms(1));
  const auto wrapped = flow.add(kClient, stamped(20, 100, 1, 0), at_ms(2));
  EXPECT_FALSE(wrapped.retransmitted);
  EXPECT_EQ(flow.add(kServer, stamped(1, 0, 7, 0xffffffff), at_ms(4)).round_trip, ms(3));
  EXPECT_EQ(flow.add(kServer, stamped(1, 0, 8, 1), at_ms(5)).round_trip, ms(3));
  EXPECT_TRUE(flow.add(kClient, stamped(0xffffffb0, 100, 3, 0), at_ms(6)).retransmitted);
}

TEST(TcpFlow, WithoutTimeStampsMeasuresBySequenceNumbers) {
  TcpFlow flow;
  (void)flow.add(kClient, plain(1, 100, 1), at_ms(10));
  (void)flow.add(kClient, plain(101, 100, 1), at_ms(12));
  EXPECT_EQ(flow.add(kServer, plain(1, 0, 201), at_ms(40)).round_trip, ms(28));
  EXPECT_FALSE(flow.add(kServer, plain(1, 0, 201), at_ms(41)).round_trip);
}

TEST(TcpFlow, WithoutTimeStampsARetransmissionMakesTheAnswerAmbiguous) {
  TcpFlow flow;
  (void)flow.add(kClient, plain(1, 100, 1), at_ms(10));
  EXPECT_TRUE(flow.add(kClient, plain(1, 100, 1), at_ms(210)).retransmitted);
  EXPECT_FALSE(flow.add(kServer, plain(1, 0, 101), at_ms(220)).round_trip);
}

TEST(TcpFlow, CountsRetransmissions) {
  TcpFlow flow;
  EXPECT_FALSE(flow.add(kClient, stamped(1, 100, 500, 0), at_ms(0)).retransmitted);
  EXPECT_FALSE(flow.add(kClient, stamped(101, 100, 500, 0), at_ms(0)).retransmitted);
  EXPECT_TRUE(flow.add(kClient, stamped(1, 100, 501, 0), at_ms(1)).retransmitted);
  // Part of it is new.
  EXPECT_FALSE(flow.add(kClient, stamped(151, 100, 502, 0), at_ms(2)).retransmitted);
}

TEST(TcpFlow, ReorderedSegmentsAreNoRetransmissions) {
  TcpFlow flow;
  (void)flow.add(kClient, stamped(1, 100, 500, 0), at_ms(0));
  (void)flow.add(kClient, stamped(201, 100, 502, 0), at_ms(2));
  EXPECT_FALSE(flow.add(kClient, stamped(101, 100, 501, 0), at_ms(2)).retransmitted);
}

TEST(TcpFlow, AKeepAliveIsNoRetransmission) {
  TcpFlow flow;
  (void)flow.add(kClient, plain(1, 100, 1), at_ms(0));
  EXPECT_FALSE(flow.add(kClient, plain(100, 1, 1), at_ms(60'000)).retransmitted);
  EXPECT_FALSE(flow.add(kClient, plain(100, 0, 1), at_ms(61'000)).retransmitted);
  TcpFields fin = plain(101, 1, 1);
  fin.fin = true;
  EXPECT_FALSE(flow.add(kClient, fin, at_ms(62'000)).retransmitted);
  EXPECT_TRUE(flow.add(kClient, fin, at_ms(62'500)).retransmitted);
}

TEST(TcpFlow, PortsThatAreUsedAgainBeginANewConnection) {
  TcpFlow flow;
  (void)flow.add(kClient, stamped(5000, 100, 500, 0), at_ms(0));
  TcpFields syn = stamped(20, 1, 100, 0);
  syn.syn = true;
  syn.ack = false;
  EXPECT_FALSE(flow.add(kClient, syn, at_ms(1000)).retransmitted);
  EXPECT_EQ(flow.add(kServer, stamped(1, 1, 7, 100), at_ms(1012)).round_trip, ms(12));
  // The same SYN again is one that was sent again.
  syn.ts_value = 1100;
  EXPECT_TRUE(flow.add(kClient, syn, at_ms(2000)).retransmitted);
}

}  // namespace
}  // namespace drip::traffic
