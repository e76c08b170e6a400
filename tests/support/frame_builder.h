// SPDX-License-Identifier: BSD-3-Clause
// Puts frames together for tests, header by header, with right lengths unless told otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "packet/ip_prefix.h"

namespace drip {

using Bytes = std::vector<std::uint8_t>;

inline IpAddress address(std::string_view text) { return IpPrefix::parse(text)->address(); }

/// `number` in host byte order.
inline IpAddress ipv4_address(std::uint32_t number) {
  return {static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
          static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
}

struct Ipv4Fields {
  std::uint8_t protocol = 17;
  std::uint8_t dscp = 0;
  std::uint16_t fragment = 0;  ///< Flags and offset as in the header: 0x2000 more fragments.
  std::uint8_t option_words = 0;
  IpAddress src = address("10.0.0.1");
  IpAddress dst = address("10.0.0.2");
};

struct Ipv6Fields {
  std::uint8_t next_header = 17;
  std::uint8_t dscp = 0;
  IpAddress src = address("2001:db8::1");
  IpAddress dst = address("2001:db8::2");
};

class FrameBuilder {
 public:
  FrameBuilder() : bytes_{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1} {}

  FrameBuilder& dst_mac(std::initializer_list<std::uint8_t> mac) {
    std::size_t i = 0;
    for (const std::uint8_t byte : mac) bytes_[i++] = byte;
    return *this;
  }
  FrameBuilder& tag(std::uint16_t tpid, std::uint16_t control) { return be16(tpid).be16(control); }
  FrameBuilder& be16(std::uint16_t value) {
    return raw({static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
  }
  FrameBuilder& raw(const Bytes& bytes) {
    // Not insert(), of which g++ 12 believes that it overflows.
    for (const std::uint8_t byte : bytes) bytes_.push_back(byte);
    return *this;
  }
  FrameBuilder& ipv4(const Ipv4Fields& fields) {
    be16(0x0800);
    ip_begin_ = bytes_.size();
    is_ipv4_ = true;
    raw({static_cast<std::uint8_t>(0x45 + fields.option_words),
         static_cast<std::uint8_t>(fields.dscp << 2), 0, 0, 0, 7});
    be16(fields.fragment);
    raw({64, fields.protocol, 0, 0});
    raw(Bytes(fields.src.begin(), fields.src.begin() + 4));
    raw(Bytes(fields.dst.begin(), fields.dst.begin() + 4));
    return raw(Bytes(std::size_t{4} * fields.option_words, 1));
  }
  FrameBuilder& ipv6(const Ipv6Fields& fields) {
    be16(0x86dd);
    ip_begin_ = bytes_.size();
    raw({static_cast<std::uint8_t>(0x60 | fields.dscp >> 2),
         static_cast<std::uint8_t>(fields.dscp << 6), 0, 0, 0, 0, fields.next_header, 64});
    raw(Bytes(fields.src.begin(), fields.src.end()));
    return raw(Bytes(fields.dst.begin(), fields.dst.end()));
  }
  /// Hop-by-hop, routing or destination options.
  FrameBuilder& options(std::uint8_t next_header, std::uint8_t extra_units = 0) {
    raw({next_header, extra_units});
    return raw(Bytes(6 + std::size_t{8} * extra_units, 0));
  }
  FrameBuilder& authentication(std::uint8_t next_header, std::uint8_t words) {
    raw({next_header, static_cast<std::uint8_t>(words - 2)});
    return raw(Bytes(std::size_t{4} * words - 2, 0xaa));
  }
  /// `offset_and_more`: the offset in bytes (a multiple of 8), plus 1 if there are more.
  FrameBuilder& fragment(std::uint8_t next_header, std::uint16_t offset_and_more) {
    return raw({next_header, 0}).be16(offset_and_more).raw({0, 0, 0, 7});
  }
  FrameBuilder& ports(std::uint16_t src, std::uint16_t dst) { return be16(src).be16(dst); }

  /// With the IP length set, and `padding` bytes that are not of the packet behind it.
  [[nodiscard]] Bytes build(std::size_t padding = 0) const {
    Bytes frame = bytes_;
    if (ip_begin_ != 0) {
      const std::size_t length_at = ip_begin_ + (is_ipv4_ ? 2 : 4);
      const std::size_t length = frame.size() - ip_begin_ - (is_ipv4_ ? 0 : 40);
      frame[length_at] = static_cast<std::uint8_t>(length >> 8);
      frame[length_at + 1] = static_cast<std::uint8_t>(length);
    }
    frame.resize(frame.size() + padding, 0xee);
    return frame;
  }

 private:
  Bytes bytes_;
  std::size_t ip_begin_ = 0;
  bool is_ipv4_ = false;
};

/// Ethernet, IPv4, UDP and zeros: `frame_bytes` bytes, at least 42.
inline Bytes udp_frame(std::uint32_t src, std::uint32_t dst, std::uint16_t src_port,
                       std::uint16_t dst_port, std::size_t frame_bytes) {
  constexpr std::size_t kHeaderBytes = 42;
  return FrameBuilder()
      .ipv4({.src = ipv4_address(src), .dst = ipv4_address(dst)})
      .ports(src_port, dst_port)
      .be16(static_cast<std::uint16_t>(frame_bytes - 34))
      .be16(0)
      .raw(Bytes(frame_bytes - kHeaderBytes))
      .build();
}

/// A frame of every kind that the parser tells apart: the seeds of the fuzzer, too.
inline std::vector<Bytes> sample_frames() {
  const auto udp = [](FrameBuilder builder) {
    return builder.ports(5000, 80).raw({0, 12, 0, 0, 1, 2, 3, 4}).build();
  };
  constexpr std::uint8_t kUdp = 17;
  std::vector<Bytes> frames = {
      udp(FrameBuilder().ipv4({})),
      udp(FrameBuilder().ipv4({.protocol = 6, .dscp = 46, .option_words = 10})),
      udp(FrameBuilder().tag(0x8100, 0x6000 | 100).ipv4({.protocol = 132})),
      udp(FrameBuilder().tag(0x88a8, 4095).tag(0x8100, 7).ipv4({.protocol = 136})),
      udp(FrameBuilder().tag(0x9100, 1).tag(0x9100, 2).tag(0x8100, 3).ipv4({})),
      udp(FrameBuilder().ipv4({.fragment = 0x2000})),
      udp(FrameBuilder().ipv4({.fragment = 0x2010})),
      udp(FrameBuilder().ipv4({.fragment = 0x0010})),
      udp(FrameBuilder().ipv4({.fragment = 0x4000})),
      FrameBuilder().ipv4({.protocol = 1}).raw({8, 0, 0, 0}).build(22),
      FrameBuilder().ipv4({}).build(26),
      udp(FrameBuilder().ipv6({})),
      udp(FrameBuilder().tag(0x8100, 5).ipv6({.next_header = 33, .dscp = 63})),
      udp(FrameBuilder()
              .ipv6({.next_header = 0})
              .options(43)
              .options(60, 2)
              .options(51)
              .authentication(kUdp, 6)),
      udp(FrameBuilder().ipv6({.next_header = 44}).fragment(kUdp, 1)),
      udp(FrameBuilder().ipv6({.next_header = 44}).fragment(kUdp, 16)),
      udp(FrameBuilder().ipv6({.next_header = 44}).fragment(kUdp, 0)),
      udp(FrameBuilder().ipv6({.next_header = 44}).fragment(60, 1).options(kUdp)),
      FrameBuilder().ipv6({.next_header = 58}).raw({135, 0, 0, 0}).build(),
      FrameBuilder().ipv6({.next_header = 59}).build(),
      FrameBuilder().be16(0x0806).raw(Bytes(28, 1)).build(18),
      FrameBuilder().dst_mac({1, 0x80, 0xc2, 0, 0, 0}).be16(38).raw({0x42, 0x42, 3}).build(43),
      FrameBuilder().be16(60).raw({0xfe, 0xfe, 0x03, 0x83}).build(42),
  };
  FrameBuilder many;
  many.ipv6({.next_header = 60});
  for (int i = 0; i < 9; ++i) many.options(i == 8 ? kUdp : 60);
  frames.push_back(udp(many));
  return frames;
}

}  // namespace drip
