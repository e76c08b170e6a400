// SPDX-License-Identifier: BSD-3-Clause
// Puts frames behind other headers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "support/frame_builder.h"

namespace drip {

/// One way to carry a frame or the packet in it.
struct Encapsulation {
  const char* name;
  bool is_tunnel;  ///< With IP headers of its own, or a frame inside of the frame.
  bool takes_ip;   ///< Only IP, directly behind Ethernet.
  Bytes (*wrap)(const Bytes& frame);
};

inline std::uint16_t ether_type_of(const Bytes& frame) {
  return static_cast<std::uint16_t>(frame[12] << 8 | frame[13]);
}
inline bool carries_ip(const Bytes& frame) {
  return ether_type_of(frame) == 0x0800 || ether_type_of(frame) == 0x86dd;
}
inline Bytes without_ethernet(const Bytes& frame) { return {frame.begin() + 14, frame.end()}; }

inline Bytes in_udp(std::uint16_t port, const Bytes& payload) {
  return FrameBuilder()
      .ipv4({.src = address("192.0.2.1"), .dst = address("192.0.2.2")})
      .ports(50'000, port)
      .be16(static_cast<std::uint16_t>(8 + payload.size()))
      .be16(0)
      .raw(payload)
      .build();
}

inline std::vector<Encapsulation> encapsulations() {
  const auto tagged = [](const Bytes& frame) {
    return FrameBuilder()
        .tag(0x88a8, 100)
        .be16(ether_type_of(frame))
        .raw(without_ethernet(frame))
        .build();
  };
  const auto three_tags = [](const Bytes& frame) {
    return FrameBuilder()
        .tag(0x88a8, 100)
        .tag(0x8100, 7)
        .tag(0x8100, 9)
        .be16(ether_type_of(frame))
        .raw(without_ethernet(frame))
        .build();
  };
  const auto pppoe = [](const Bytes& frame) {
    const Bytes packet = without_ethernet(frame);
    return FrameBuilder()
        .be16(0x8864)
        .be16(0x1100)
        .be16(17)
        .be16(static_cast<std::uint16_t>(packet.size() + 2))
        .be16(ether_type_of(frame) == 0x0800 ? 0x0021 : 0x0057)
        .raw(packet)
        .build(4);
  };
  const auto mpls = [](const Bytes& frame) {
    return FrameBuilder()
        .be16(0x8847)
        .raw({0, 1, 0x00, 64, 0, 2, 0x01, 64})
        .raw(without_ethernet(frame))
        .build(10);
  };
  const auto pseudowire = [](const Bytes& frame) {
    return FrameBuilder().be16(0x8847).raw({0, 1, 0x01, 64, 0, 0, 0, 1}).raw(frame).build();
  };
  const auto ip_in_ip = [](const Bytes& frame) {
    const std::uint8_t protocol = ether_type_of(frame) == 0x0800 ? 4 : 41;
    return FrameBuilder().ipv4({.protocol = protocol}).raw(without_ethernet(frame)).build();
  };
  const auto ip_in_ipv6 = [](const Bytes& frame) {
    const std::uint8_t protocol = ether_type_of(frame) == 0x0800 ? 4 : 41;
    return FrameBuilder().ipv6({.next_header = protocol}).raw(without_ethernet(frame)).build();
  };
  const auto gre = [](const Bytes& frame) {
    return FrameBuilder()
        .ipv4({.protocol = 47})
        .be16(0)
        .be16(ether_type_of(frame))
        .raw(without_ethernet(frame))
        .build();
  };
  // Checksum, key and sequence number, and a whole frame.
  const auto gre_bridge = [](const Bytes& frame) {
    return FrameBuilder()
        .ipv4({.protocol = 47})
        .be16(0xb000)
        .be16(0x6558)
        .raw(Bytes(12, 0))
        .raw(frame)
        .build();
  };
  const auto vxlan = [](const Bytes& frame) {
    Bytes payload = {8, 0, 0, 0, 0, 0, 42, 0};
    payload.insert(payload.end(), frame.begin(), frame.end());
    return in_udp(4789, payload);
  };
  const auto gtp = [](const Bytes& frame) {
    Bytes payload = {0x30, 0xff, 0, 0, 0, 0, 0, 1};
    const Bytes packet = without_ethernet(frame);
    payload.insert(payload.end(), packet.begin(), packet.end());
    return in_udp(2152, payload);
  };
  // A sequence number and the extension header of a 5G session.
  const auto gtp_session = [](const Bytes& frame) {
    Bytes payload = {0x36, 0xff, 0, 0, 0, 0, 0, 1, 0, 5, 0, 0x85, 1, 0x10, 9, 0};
    const Bytes packet = without_ethernet(frame);
    payload.insert(payload.end(), packet.begin(), packet.end());
    return in_udp(2152, payload);
  };
  return {{"tagged", false, false, tagged},
          {"three tags", false, false, three_tags},
          {"PPPoE", false, true, pppoe},
          {"MPLS", false, true, mpls},
          {"Ethernet over MPLS", true, false, pseudowire},
          {"IP in IP", true, true, ip_in_ip},
          {"IP in IPv6", true, true, ip_in_ipv6},
          {"GRE", true, false, gre},
          {"Ethernet over GRE", true, false, gre_bridge},
          {"VXLAN", true, false, vxlan},
          {"GTP-U", true, true, gtp},
          {"GTP-U with a session header", true, true, gtp_session}};
}

/// `frame` in each encapsulation, and in each inside of each other one.
struct Encapsulated {
  std::string name;
  bool is_tunnel = false;
  Bytes frame;
};
inline std::vector<Encapsulated> encapsulated(const Bytes& frame) {
  std::vector<Encapsulated> frames;
  for (const Encapsulation& inner : encapsulations()) {
    if (inner.takes_ip && !carries_ip(frame)) continue;
    const Bytes once = inner.wrap(frame);
    frames.push_back({inner.name, inner.is_tunnel, once});
    for (const Encapsulation& outer : encapsulations()) {
      if (outer.takes_ip && !carries_ip(once)) continue;
      frames.push_back({std::string(inner.name) + " in " + outer.name,
                        inner.is_tunnel || outer.is_tunnel, outer.wrap(once)});
    }
  }
  return frames;
}

}  // namespace drip
