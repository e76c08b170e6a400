// SPDX-License-Identifier: BSD-3-Clause
// Frames of every kind that the tests build.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/encapsulate.h"
#include "support/frame_builder.h"

namespace drip::fuzz {

/// Each kind that the parser tells apart, and UDP over IPv4 and IPv6, TCP and ICMP in every
/// encapsulation and in each inside of each other one.
[[nodiscard]] inline std::vector<Bytes> seed_frames() {
  std::vector<Bytes> frames = sample_frames();
  const Bytes tcp = FrameBuilder()
                        .ipv4({.protocol = 6})
                        .ports(5000, 80)
                        .raw({0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x12, 1, 0, 0, 0, 0, 0})
                        .raw({1, 1, 8, 10, 0, 0, 0, 9, 0, 0, 0, 8})
                        .raw(Bytes(8, 7))
                        .build();
  const Bytes ping = FrameBuilder().ipv6({.next_header = 58}).raw({128, 0, 0, 0, 0, 1}).build();
  const std::vector<Bytes> plain = {frames[0], frames[11], tcp, ping};
  for (const Bytes& frame : plain) {
    for (Encapsulated& each : encapsulated(frame)) frames.push_back(std::move(each.frame));
  }
  frames.push_back(tcp);
  frames.push_back(ping);
  return frames;
}

/// Each with the bytes `head` before it.
[[nodiscard]] inline std::vector<std::string> seeds_of_frames(const std::string& head) {
  std::vector<std::string> seeds;
  for (const Bytes& frame : seed_frames()) {
    seeds.push_back(head + std::string(frame.begin(), frame.end()));
  }
  return seeds;
}

}  // namespace drip::fuzz
