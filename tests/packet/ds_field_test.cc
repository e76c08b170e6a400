// SPDX-License-Identifier: BSD-3-Clause
// Marks and remarks in frames of every kind that the parser knows: the field is right, the checksum
// holds, and no other bit has changed.
#include "packet/ds_field.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "packet/queue_key.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

IpLocation locate(const Bytes& frame) {
  return locate_ip(frame, static_cast<std::uint32_t>(frame.size()));
}

// The ones' complement sum of an IPv4 header, RFC 791: 0xffff if its checksum is right.
std::uint32_t header_sum(const Bytes& frame, std::size_t at) {
  std::uint32_t sum = 0;
  const std::size_t bytes = std::size_t{4} * (frame[at] & 15U);
  for (std::size_t i = 0; i < bytes && at + i + 1 < frame.size(); i += 2) {
    sum += static_cast<std::uint32_t>(frame[at + i] << 8 | frame[at + i + 1]);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}
void set_checksum(Bytes& frame, std::size_t at) {
  frame[at + 10] = frame[at + 11] = 0;
  const std::uint32_t checksum = ~header_sum(frame, at) & 0xffff;
  frame[at + 10] = static_cast<std::uint8_t>(checksum >> 8);
  frame[at + 11] = static_cast<std::uint8_t>(checksum);
}
// The field as the RFCs draw it, by single bits.
void write_by_bits(Bytes& frame, IpLocation ip, unsigned field) {
  const std::size_t first_bit = ip.version == IpVersion::kV4 ? 8 : 4;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::size_t bit = first_bit + i;
    const auto mask = static_cast<std::uint8_t>(0x80U >> bit % 8);
    std::uint8_t& byte = frame[ip.offset + bit / 8];
    byte = static_cast<std::uint8_t>((field >> (7 - i) & 1) != 0 ? byte | mask : byte & ~mask);
  }
}

// The packet of a frame with Ethernet and nothing else, behind other headers.
Bytes behind(const Bytes& headers, const Bytes& frame) {
  // Not insert(), of which g++ 12 believes that it overflows.
  Bytes result;
  for (std::size_t i = 0; i < 12; ++i) result.push_back(frame[i]);
  for (const std::uint8_t byte : headers) result.push_back(byte);
  for (std::size_t i = 14; i < frame.size(); ++i) result.push_back(frame[i]);
  return result;
}
std::vector<Bytes> all_frames() {
  std::vector<Bytes> frames = sample_frames();
  const Bytes v4 = FrameBuilder().ipv4({.option_words = 2}).ports(1, 2).raw(Bytes(60)).build();
  const Bytes v6 = FrameBuilder().ipv6({}).ports(1, 2).raw(Bytes(60)).build();
  const auto payload = [](const Bytes& frame) {
    return static_cast<std::uint8_t>(frame.size() - 14);
  };
  // PPPoE with PPP's protocol in two bytes and in one; behind tags as well.
  for (const auto& [frame, protocol] : {std::pair{v4, 0x21}, std::pair{v6, 0x57}}) {
    const auto ppp = static_cast<std::uint8_t>(protocol);
    const std::uint8_t length = payload(frame);
    frames.push_back(behind(
        {0x88, 0x64, 0x11, 0, 0, 9, 0, static_cast<std::uint8_t>(length + 2), 0, ppp}, frame));
    frames.push_back(behind(
        {0x81, 0, 0, 5, 0x88, 0x64, 0x11, 0, 0, 9, 0, static_cast<std::uint8_t>(length + 1), ppp},
        frame));
  }
  for (const Bytes& frame : {v4, v6}) {
    frames.push_back(behind({0x88, 0x47, 0, 1, 0x01, 64}, frame));
    frames.push_back(
        behind({0x88, 0xa8, 0, 5, 0x88, 0x47, 0, 1, 0, 64, 0, 2, 0, 64, 0, 3, 1, 64}, frame));
    frames.push_back(behind({0x88, 0x48, 0, 1, 0x01, 64}, frame));
  }
  return frames;
}
// Each kind of frame, with all values of the field.
template <class Check>
void for_each_frame(Check check) {
  std::size_t with_ip = 0;
  for (Bytes frame : all_frames()) {
    const IpLocation ip = locate(frame);
    if (ip.version == IpVersion::kNone) {
      check(frame, ip, 0);
      continue;
    }
    ++with_ip;
    for (unsigned field = 0; field < 256; ++field) {
      write_by_bits(frame, ip, field);
      if (ip.version == IpVersion::kV4) set_checksum(frame, ip.offset);
      check(frame, ip, field);
    }
  }
  EXPECT_GT(with_ip, 30U);
}

// The expected frame: by bits, with a checksum from scratch.
Bytes rewritten(Bytes frame, IpLocation ip, unsigned field) {
  write_by_bits(frame, ip, field);
  if (ip.version == IpVersion::kV4) set_checksum(frame, ip.offset);
  return frame;
}

TEST(DsField, ReadsWhatWasWritten) {
  for_each_frame([](const Bytes& frame, IpLocation ip, unsigned field) {
    EXPECT_EQ(read_ds_field(frame, ip), field);
    EXPECT_EQ(static_cast<unsigned>(read_ecn(frame, ip)), field & 3);
    EXPECT_EQ(read_dscp(frame, ip), field >> 2);
  });
}

TEST(DsField, MarksWhatIsEcnCapableAndNothingElse) {
  for_each_frame([](const Bytes& frame, IpLocation ip, unsigned field) {
    Bytes marked = frame;
    const bool capable = ip.version != IpVersion::kNone && (field & 3) != 0;
    EXPECT_EQ(set_ce(marked, ip), capable);
    EXPECT_EQ(marked, capable ? rewritten(frame, ip, field | 3) : frame);
  });
}

TEST(DsField, RemarksAndWashesAndKeepsEcn) {
  for_each_frame([](const Bytes& frame, IpLocation ip, unsigned field) {
    for (const unsigned dscp : {0U, 1U, 8U, 46U, 63U}) {
      Bytes marked = frame;
      set_dscp(marked, ip, static_cast<std::uint8_t>(dscp));
      EXPECT_EQ(marked, ip.version == IpVersion::kNone
                            ? frame
                            : rewritten(frame, ip, dscp << 2 | (field & 3)));
    }
  });
}

TEST(DsField, MarksTheOuterHeaderOfATunnel) {
  Bytes inner = FrameBuilder().ipv4({}).ports(1, 2).raw(Bytes(4)).build();
  inner.erase(inner.begin(), inner.begin() + 14);
  Bytes frame = FrameBuilder().ipv6({.next_header = 4}).raw(inner).build();
  frame[15] |= 0x10;  // ECT(1)
  Bytes expected = frame;
  expected[15] |= 0x30;
  EXPECT_TRUE(set_ce(frame, locate(frame)));
  EXPECT_EQ(frame, expected);
}

TEST(DsField, AWrongChecksumStaysWrongByAsMuch) {
  std::mt19937 random(1);
  Bytes frame = FrameBuilder().tag(0x8100, 5).ipv4({.option_words = 3}).ports(1, 2).build();
  const IpLocation ip = locate(frame);
  for (int i = 0; i < 20'000; ++i) {
    for (std::size_t at = 1; at < 20; ++at) {
      frame[ip.offset + at] = static_cast<std::uint8_t>(random());
    }
    const std::uint32_t before = header_sum(frame, ip.offset);
    Bytes marked = frame;
    set_dscp(marked, ip, static_cast<std::uint8_t>(random() % 64));
    const std::uint32_t after = header_sum(marked, ip.offset);
    // 0 and 0xffff are the same number in ones' complement.
    EXPECT_EQ(before % 0xffff, after % 0xffff);
  }
}

TEST(DsField, FramesThatEndInTheHeaderAreLeftAlone) {
  for (const Bytes& frame : all_frames()) {
    for (std::size_t length = 0; length <= std::min<std::size_t>(frame.size(), 80); ++length) {
      Bytes part(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
      const Bytes before = part;
      const IpLocation ip = locate(part);
      const bool capable = read_ecn(part, ip) != Ecn::kNotCapable;
      EXPECT_EQ(set_ce(part, ip), capable);
      EXPECT_EQ(part.size(), before.size());
      if (ip.version == IpVersion::kNone) {
        EXPECT_EQ(part, before);
      }
    }
  }
}

TEST(QueueKeyOfHeaders, IsOneForAllFragmentsOfADatagram) {
  const auto key_of = [](const Bytes& frame) {
    return make_queue_key(parse_frame(frame, static_cast<std::uint32_t>(frame.size())));
  };
  const QueueKey first = key_of(FrameBuilder().ipv4({.fragment = 0x2000}).ports(5, 6).build());
  EXPECT_EQ(first, key_of(FrameBuilder().ipv4({.fragment = 0x0010}).ports(9, 9).build()));
  EXPECT_EQ(first.source_port, 0);
  const QueueKey whole = key_of(FrameBuilder().ipv4({}).ports(5, 6).raw({0, 8, 0, 0}).build());
  EXPECT_EQ(whole.source_port, 5);
  EXPECT_EQ(whole.destination_port, 6);
  EXPECT_EQ(whole.version, 4);
  EXPECT_EQ(whole.source, address("10.0.0.1"));
  const QueueKey arp = key_of(FrameBuilder().be16(0x0806).raw(Bytes(28)).build());
  EXPECT_EQ(arp.version, 0);
  EXPECT_EQ(arp.source_port, 0x0806);
  EXPECT_EQ(arp.source[5], 1);
}

}  // namespace
}  // namespace drip
