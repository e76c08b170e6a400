// SPDX-License-Identifier: BSD-3-Clause
// Makes the mbufs and writes their headers.
#include "bench/path/packet_pool.h"

#include <rte_errno.h>

#include "fmt/format.h"

namespace drip::bench {
namespace {

constexpr std::uint16_t kDataRoom = RTE_PKTMBUF_HEADROOM + 64;
constexpr unsigned kCachedPackets = 512;

constexpr std::array<std::uint8_t, 60> frame() {
  std::array<std::uint8_t, 60> bytes{};
  constexpr std::array<std::uint8_t, 12> kMacs = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};
  for (std::size_t i = 0; i < kMacs.size(); ++i) bytes[i] = kMacs[i];
  bytes[12] = 0x08;  // IPv4
  bytes[14] = 0x45;
  bytes[17] = 46;  // IP total length
  bytes[22] = 64;  // TTL
  bytes[23] = 17;  // UDP
  bytes[26] = 198;
  bytes[27] = 18;
  bytes[29] = 1;
  bytes[34] = 0x13;  // Source port 5001.
  bytes[35] = 0x89;
  bytes[36] = 0x13;
  bytes[37] = 0x89;
  bytes[39] = 26;  // UDP length
  return bytes;
}

void write_headers(rte_mempool* pool, void* opaque, void* object, unsigned index) {
  rte_pktmbuf_init(pool, opaque, object, index);
  auto* const packet = static_cast<rte_mbuf*>(object);
  rte_pktmbuf_reset_headroom(packet);
  constexpr auto kFrame = frame();
  std::memcpy(rte_pktmbuf_mtod(packet, void*), kFrame.data(), kFrame.size());
}

}  // namespace

absl::StatusOr<std::unique_ptr<PacketPool>> PacketPool::create(std::uint32_t packets,
                                                               FrameSizes frames) {
  static int number = 0;
  const std::string name = fmt::format("bench_{}", number++);
  rte_mempool* const pool =
      rte_pktmbuf_pool_create(name.c_str(), packets, kCachedPackets, 0, kDataRoom, SOCKET_ID_ANY);
  if (pool == nullptr) {
    return absl::ResourceExhaustedError(fmt::format(
        "{} packet buffers: {}; give more with --memory", packets, rte_strerror(rte_errno)));
  }
  rte_mempool_obj_iter(pool, write_headers, nullptr);
  return std::unique_ptr<PacketPool>(new PacketPool(pool, std::move(frames)));
}

}  // namespace drip::bench
