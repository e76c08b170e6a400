// SPDX-License-Identifier: BSD-3-Clause
#include "packet/tcp_fields.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <optional>

#include "support/frame_builder.h"

namespace drip {
namespace {

// A TCP header from port 4000 to 80 with sequence number 1000, acknowledgment 2000.
Bytes tcp_header(std::uint8_t flags, const Bytes& options = {}) {
  const auto length = static_cast<std::uint8_t>((20 + options.size()) / 4 * 16);
  Bytes tcp = {0x0f, 0xa0, 0,      80,    0,    0, 0x03, 0xe8, 0, 0,
               0x07, 0xd0, length, flags, 0x10, 0, 0,    0,    0, 0};
  for (const std::uint8_t byte : options) tcp.push_back(byte);
  return tcp;
}
Bytes timestamps(std::uint32_t value, std::uint32_t echo) {
  Bytes options = {1, 1, 8, 10};
  for (const std::uint32_t number : {value, echo}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      options.push_back(static_cast<std::uint8_t>(number >> shift));
    }
  }
  return options;
}

Bytes ipv4(const Bytes& tcp, std::size_t data, std::uint16_t fragment = 0) {
  return FrameBuilder()
      .ipv4({.protocol = 6, .fragment = fragment})
      .raw(tcp)
      .raw(Bytes(data))
      .build();
}
Bytes ipv6(const Bytes& tcp, std::size_t data) {
  return FrameBuilder().ipv6({.next_header = 6}).raw(tcp).raw(Bytes(data)).build();
}

std::optional<TcpFields> read(const Bytes& frame) {
  return read_tcp(frame, parse_frame(frame, static_cast<std::uint32_t>(frame.size())));
}

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;

TEST(ReadTcp, TellsWhatASegmentSays) {
  TcpFields expected;
  expected.sequence = 1000;
  expected.acknowledgment = 2000;
  expected.length = 100;
  expected.ack = true;
  EXPECT_EQ(read(ipv4(tcp_header(kAck), 100)), expected);
  EXPECT_EQ(read(ipv6(tcp_header(kAck), 100)), expected);
  EXPECT_EQ(read(FrameBuilder()
                     .tag(0x88a8, 7)
                     .tag(0x8100, 5)
                     .ipv4({.protocol = 6})
                     .raw(tcp_header(kAck))
                     .raw(Bytes(100))
                     .build()),
            expected);
  expected.timestamps = true;
  expected.ts_value = 0xfffffff0;
  expected.ts_echo = 77;
  EXPECT_EQ(read(ipv4(tcp_header(kAck, timestamps(0xfffffff0, 77)), 100)), expected);
  EXPECT_EQ(read(ipv6(tcp_header(kAck, timestamps(0xfffffff0, 77)), 100)), expected);
}

TEST(ReadTcp, CountsSynAndFinInTheSequenceSpace) {
  const auto syn = read(ipv4(tcp_header(kSyn), 0));
  ASSERT_TRUE(syn);
  EXPECT_TRUE(syn->syn);
  EXPECT_FALSE(syn->ack);
  EXPECT_EQ(syn->length, 1U);
  EXPECT_EQ(read(ipv4(tcp_header(kFin | kAck), 10))->length, 11U);
  EXPECT_EQ(read(ipv4(tcp_header(kAck), 0))->length, 0U);
  EXPECT_TRUE(read(ipv4(tcp_header(kRst), 0))->rst);
}

TEST(ReadTcp, DoesNotCountThePaddingOfShortFrames) {
  Bytes frame = ipv4(tcp_header(kAck), 0);
  frame.resize(60, 0);
  EXPECT_EQ(read(frame)->length, 0U);
}

TEST(ReadTcp, FindsTimeStampsBehindOtherOptions) {
  // Maximum segment size, then SACK permitted, then Timestamps.
  const Bytes options = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6, 1, 1, 1, 0};
  const auto fields = read(ipv4(tcp_header(kSyn, options), 0));
  ASSERT_TRUE(fields && fields->timestamps);
  EXPECT_EQ(fields->ts_value, 5U);
  EXPECT_EQ(fields->ts_echo, 6U);
}

TEST(ReadTcp, StopsAtOptionsThatAreNone) {
  // Behind the end of the options; of length 0 and 1; longer than the header; not 10 long.
  for (const Bytes& options :
       {Bytes{0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0}, Bytes{3, 0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8},
        Bytes{3, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}, Bytes{8, 10, 1, 2},
        Bytes{8, 9, 1, 2, 3, 4, 5, 6, 7, 0, 0, 0}}) {
    const auto fields = read(ipv4(tcp_header(kAck, options), 3));
    ASSERT_TRUE(fields);
    EXPECT_FALSE(fields->timestamps);
    EXPECT_EQ(fields->length, 3U);
  }
}

TEST(ReadTcp, RefusesWhatIsCutMalformedOrNotTcp) {
  const Bytes whole = ipv4(tcp_header(kAck, timestamps(1, 2)), 0);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto fields = read_tcp(cut, parse_frame(cut, static_cast<std::uint32_t>(whole.size())));
    // The options may be cut, the header may not.
    EXPECT_EQ(fields.has_value(), size >= 54) << size;
    if (fields) {
      EXPECT_FALSE(fields->timestamps) << size;
    }
  }
  EXPECT_FALSE(read(ipv4(tcp_header(kAck), 8, 0x2000)));  // A first fragment.
  EXPECT_FALSE(read(ipv4(tcp_header(kAck), 8, 0x0010)));  // A later one.
  Bytes short_header = ipv4(tcp_header(kAck), 0);
  short_header[14 + 20 + 12] = 0x40;
  EXPECT_FALSE(read(short_header));
  Bytes longer_than_packet = ipv4(tcp_header(kAck), 0);
  longer_than_packet[14 + 20 + 12] = 0x60;
  EXPECT_FALSE(read(longer_than_packet));
  Bytes udp = ipv4(tcp_header(kAck), 0);
  udp[14 + 9] = 17;
  EXPECT_FALSE(read(udp));
}

}  // namespace
}  // namespace drip
