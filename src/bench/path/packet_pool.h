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
#include <utility>

#include "absl/status/statusor.h"
#include "bench/path/frame_sizes.h"
#include "classifier/match.h"

namespace drip::bench {

/// mbufs with Ethernet/IPv4/UDP headers, from 198.18.0.1 (RFC 2544's range) to 10.0.0.0 + bucket.
/// Frames are as long as FrameSizes says; only their first 64 bytes are memory of their own, so
/// that long frames do not need long buffers: no one here reads a payload. One thread takes and
/// gives back at a time, as with a driver's queue.
class PacketPool {
 public:
  /// RESOURCE_EXHAUSTED if there is not the memory for so many.
  static absl::StatusOr<std::unique_ptr<PacketPool>> create(std::uint32_t packets,
                                                            FrameSizes frames);
  ~PacketPool() { rte_mempool_free(pool_); }
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  /// All of `out`, or none and false if the pool has not so many.
  [[nodiscard]] bool take(std::span<rte_mbuf*> out) {
    return rte_pktmbuf_alloc_bulk(pool_, out.data(), static_cast<unsigned>(out.size())) == 0;
  }
  /// What a driver does to a received packet: sets its length, here also its destination.
  void write(rte_mbuf* packet, std::uint32_t bucket) {
    packet->pkt_len = frames_.next();
    packet->data_len = kReadableBytes;
    const std::uint32_t address = __builtin_bswap32(kFirstAddress + bucket);
    std::memcpy(rte_pktmbuf_mtod_offset(packet, char*, kDstAddressOffset), &address,
                sizeof(address));
  }
  /// Of its bucket's flows: by the source port.
  static void write_flow(rte_mbuf* packet, std::uint32_t flow) {
    const auto port = static_cast<std::uint16_t>(
        __builtin_bswap16(static_cast<std::uint16_t>(kFirstSourcePort + flow)));
    std::memcpy(rte_pktmbuf_mtod_offset(packet, char*, kSourcePortOffset), &port, sizeof(port));
  }
  void give(std::span<rte_mbuf*> packets) {
    rte_pktmbuf_free_bulk(packets.data(), static_cast<unsigned>(packets.size()));
  }
  [[nodiscard]] const FrameSizes& frames() const { return frames_; }
  /// Of the longest.
  [[nodiscard]] std::uint32_t frame_bytes() const { return frames_.longest(); }
  /// Packets that have been taken and not given back.
  [[nodiscard]] std::uint32_t in_use() const { return rte_mempool_in_use_count(pool_); }

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
  static constexpr std::size_t kSourcePortOffset = 14 + 20;
  static constexpr std::uint32_t kFirstSourcePort = 5001;

  PacketPool(rte_mempool* pool, FrameSizes frames) : pool_(pool), frames_(std::move(frames)) {}

  rte_mempool* pool_;
  FrameSizes frames_;
};

}  // namespace drip::bench
