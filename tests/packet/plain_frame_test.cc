// SPDX-License-Identifier: BSD-3-Clause
// The straight code for most frames against the parser of all.
#include "packet/plain_frame.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "packet/headers.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

bool is_plain(const Bytes& frame) {
  Headers headers;
  return read_plain_frame(frame, static_cast<std::uint32_t>(frame.size()), headers);
}

std::vector<Bytes> plain_frames() {
  std::vector<Bytes> frames;
  for (const int tags : {0, 1, 2}) {
    for (const int protocol : {6, 17}) {
      FrameBuilder ipv4;
      FrameBuilder ipv6;
      if (tags == 2) {
        ipv4.tag(0x88a8, 4095);
        ipv6.tag(0x9100, 7);
      }
      if (tags > 0) {
        ipv4.tag(0x8100, 8);
        ipv6.tag(0x8100, 0xe009);
      }
      const auto number = static_cast<std::uint8_t>(protocol);
      frames.push_back(
          ipv4.ipv4({.protocol = number, .dscp = 46}).ports(5000, 80).raw({0, 8, 0, 0}).build());
      frames.push_back(
          ipv6.ipv6({.next_header = number, .dscp = 63}).ports(1, 443).raw({0, 8, 0, 0}).build());
    }
  }
  return frames;
}

std::vector<Bytes> other_frames() {
  return {
      FrameBuilder().ipv4({.option_words = 1}).ports(1, 2).build(),
      FrameBuilder().ipv4({.fragment = 0x2000}).ports(1, 2).build(),
      FrameBuilder().ipv4({.fragment = 1}).ports(1, 2).build(),
      FrameBuilder().ipv4({.protocol = 1}).raw({8, 0, 0, 0}).build(),
      FrameBuilder().ipv4({.protocol = 132}).ports(1, 2).build(),
      FrameBuilder().ipv6({.next_header = 58}).raw({135, 0, 0, 0}).build(),
      FrameBuilder().ipv6({.next_header = 0}).raw({17, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2}).build(),
      FrameBuilder().tag(0x8100, 1).tag(0x8100, 2).tag(0x8100, 3).ipv4({}).ports(1, 2).build(),
      Bytes(13, 1),
      Bytes(64, 0)};
}

TEST(PlainFrame, IsTcpOrUdpBehindAtMostTwoTags) {
  for (const Bytes& frame : plain_frames()) EXPECT_TRUE(is_plain(frame));
  for (const Bytes& frame : other_frames()) EXPECT_FALSE(is_plain(frame));
}

// From memory that ends where the bytes do, so that the address sanitizer sees any step beyond.
void expect_same(const Bytes& frame, std::size_t readable, std::uint32_t frame_bytes) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[readable]);
  std::copy_n(frame.begin(), readable, exact.get());
  const std::span<const std::uint8_t> bytes(exact.get(), readable);
  Headers any;
  parse_any_frame(bytes, frame_bytes, any);
  ASSERT_EQ(parse_frame(bytes, frame_bytes), any) << testing::PrintToString(frame);
}

TEST(PlainFrame, IsReadAsTheParserOfAllReadsIt) {
  std::vector<Bytes> frames = plain_frames();
  for (const Bytes& frame : other_frames()) frames.push_back(frame);
  for (const Bytes& frame : frames) {
    for (std::size_t cut = 0; cut <= frame.size(); ++cut) {
      expect_same(frame, cut, static_cast<std::uint32_t>(cut));
      expect_same(frame, cut, static_cast<std::uint32_t>(frame.size()));
      expect_same(frame, frame.size(), static_cast<std::uint32_t>(cut));
    }
    // Each byte of the headers with each value.
    for (std::size_t at = 12; at < std::min<std::size_t>(frame.size(), 48); ++at) {
      Bytes changed = frame;
      for (int value = 0; value < 256; ++value) {
        changed[at] = static_cast<std::uint8_t>(value);
        expect_same(changed, changed.size(), static_cast<std::uint32_t>(changed.size()));
      }
    }
  }
  std::mt19937 random(7);
  int plain = 0;
  for (int i = 0; i < 100'000; ++i) {
    Bytes changed = frames[random() % frames.size()];
    if (changed.size() < 48) continue;
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      changed[12 + random() % 36] = static_cast<std::uint8_t>(random());
    }
    plain += static_cast<int>(is_plain(changed));
    expect_same(changed, changed.size() - random() % 3, static_cast<std::uint32_t>(changed.size()));
  }
  EXPECT_GT(plain, 20'000);
}

}  // namespace
}  // namespace drip
