// SPDX-License-Identifier: BSD-3-Clause
// Frames from what a user types: a flow, hexadecimal digits, or the name of a capture file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace drip::cli {

// What a flow does not say of its packets.
struct FlowFrame {
  std::optional<std::uint16_t> vlan_id;
  std::uint8_t dscp = 0;
  std::uint32_t bytes = 64;  // Of the frame, without FCS; more if its headers need more.
};

// A frame of "10.0.0.1:5000>10.0.0.2:80/tcp", "[2001:db8::1]:5000>[2001:db8::2]:80/udp" or
// "10.0.0.1>10.0.0.2/icmp", as dripctl shows flows. Throws UsageError that names what is wrong.
[[nodiscard]] std::string frame_of_flow(std::string_view text, const FlowFrame& how);

// Whether the text is that of a frame: an even number of hexadecimal digits, 14 bytes or more, with
// blanks, colons or dots between them, or none. Then `frame_of_hex` has the bytes.
[[nodiscard]] std::optional<std::string> frame_of_hex(std::string_view text);

// The first `most` frames of a capture of Ethernet, pcap or pcapng. Throws UsageError.
[[nodiscard]] std::vector<std::string> frames_of_capture(const std::string& path, std::size_t most);

}  // namespace drip::cli
