// SPDX-License-Identifier: BSD-3-Clause
// The packets of a benchmark: mbufs whose frames are written once, and their bucket's number into
// each as it is taken.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "classifier/match.h"

namespace drip::bench {

/// A frame's L2 length: `frame_bytes` is without FCS, so 60 is the 64-byte frame of Ethernet.
inline constexpr std::uint32_t kSmallFrameBytes = 60;
inline constexpr std::uint32_t kFullFrameBytes = 1514;

/// mbufs with Ethernet/IPv4/UDP headers, from 198.18.0.1 (RFC 2544's range) to 10.0.0.0 + bucket.
/// Frames are as long as `frame_bytes` says; only their first 64 bytes are memory of their own, so
/// that long frames do not need long buffers: no one here reads a payload. One thread takes and
/// gives back at a time, as with a driver's queue.
class PacketPool {
 public:
  /// RESOURCE_EXHAUSTED if there is not the memory for so many.
  static absl::StatusOr<std::unique_ptr<PacketPool>> create(std::uint32_t packets,
                                                            std::uint32_t frame_bytes);
  ~PacketPool() { rte_mempool_free(pool_); }
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  /// All of `out`, or none and false if the pool has not so many.
  [[nodiscard]] bool take(std::span<rte_mbuf*> out) {
    return rte_pktmbuf_alloc_bulk(pool_, out.data(), static_cast<unsigned>(out.size())) == 0;
  }
  /// What a driver does to a received packet: sets its length, here also its destination.
  void write(rte_mbuf* packet, std::uint32_t bucket) const {
    packet->pkt_len = frame_bytes_;
    packet->data_len = kReadableBytes;
    const std::uint32_t address = __builtin_bswap32(kFirstAddress + bucket);
    std::memcpy(rte_pktmbuf_mtod_offset(packet, char*, kDstAddressOffset), &address,
                sizeof(address));
  }
  void give(std::span<rte_mbuf*> packets) {
    rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(packets.size()));
  }
  [[nodiscard]] std::uint32_t frame_bytes() const { return frame_bytes_; }

  /// Where packets of a bucket go, for a rule that names it.
  [[nodiscard]] static IpPrefix destination(std::uint32_t bucket) {
    const std::uint32_t address = kFirstAddress + bucket;
    IpAddress bytes{};
    for (std::size_t at = 0; at < 4; ++at) {
      bytes[at] = static_cast<std::uint8_t>(address >> (24 - 8 * at));
    }
    return IpPrefix::of(IpVersion::kV4, bytes, 32);
  }

 private:
  static constexpr std::uint32_t kFirstAddress = 10U << 24;
  static constexpr std::uint16_t kReadableBytes = 60;
  static constexpr std::size_t kDstAddressOffset = 14 + 16;

  PacketPool(rte_mempool* pool, std::uint32_t frame_bytes)
      : pool_(pool), frame_bytes_(frame_bytes) {}

  rte_mempool* pool_;
  std::uint32_t frame_bytes_;
};

}  // namespace drip::bench
