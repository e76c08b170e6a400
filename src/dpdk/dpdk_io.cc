// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/dpdk_io.h"

namespace drip::dpdk {
namespace {

// VLAN tags that stand before the EtherType of what is carried: 802.1Q, 802.1ad, and the type that
// QinQ had before it.
std::uint32_t tag_bytes(std::span<const std::uint8_t> frame) {
  constexpr std::size_t kMacBytes = 12;
  std::uint32_t bytes = 0;
  while (kMacBytes + bytes + 2 <= frame.size()) {
    const auto type =
        static_cast<std::uint16_t>(frame[kMacBytes + bytes] << 8 | frame[kMacBytes + bytes + 1]);
    if (type != 0x8100 && type != 0x88a8 && type != 0x9100) break;
    bytes += 4;
  }
  return bytes;
}

}  // namespace

std::optional<DropReason> DpdkIo::check_long_frame(std::uint16_t ingress,
                                                   const datapath::FrameBytes& frame) const {
  const std::uint16_t egress = egress_[ingress];
  if (egress == datapath::kNoPort) return DropReason::kNoEgress;
  if (frame.frame_bytes >= read(gates_[ingress].truncated_from)) return DropReason::kRxTruncated;
  const std::uint32_t longest = read(gates_[egress].longest_sent);
  const std::uint32_t tags = std::min(tag_bytes(frame.bytes), read(gates_[egress].tag_bytes));
  if (frame.frame_bytes <= std::uint64_t{longest} + tags) return {};
  return DropReason::kEgressMtu;
}

}  // namespace drip::dpdk
