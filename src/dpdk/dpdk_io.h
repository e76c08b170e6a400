// SPDX-License-Identifier: BSD-3-Clause
// Receives and sends one polling thread's packets by DPDK devices.
#pragma once

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "datapath/packet_io.h"
#include "dpdk/port_gate.h"
#include "drip/unit_ref.h"

namespace drip::dpdk {

/// PacketIo over DPDK: inline wrappers around the burst calls of the drivers. Ports have Drip's
/// numbers, in the order of the configuration. Packets are mbufs, which begin on cache lines, as a
/// UnitRef requires.
class DpdkIo {
 public:
  struct RxQueue {
    std::uint16_t port;
    std::uint16_t queue;
  };

  /// `gates`, `egress`: by port; `gates` outlives this object. `tx_queue`: this thread's, on every
  /// device.
  DpdkIo(std::vector<RxQueue> rx_queues, const PortGate* gates,
         const std::vector<std::uint16_t>& egress, std::uint16_t tx_queue)
      : rx_queues_(std::move(rx_queues)), gates_(gates), tx_queue_(tx_queue) {
    std::copy(egress.begin(), egress.end(), egress_.begin());
  }

  std::uint32_t rx(std::uint16_t number, std::span<void*> packets) {
    const RxQueue& from = rx_queues_[number];
    const std::uint16_t device = read(gates_[from.port].device);
    if (device == kNoDevice) [[unlikely]]
      return 0;
    auto** const mbufs = reinterpret_cast<rte_mbuf**>(packets.data());
    const std::uint16_t count =
        rte_eth_rx_burst(device, from.queue, mbufs, static_cast<std::uint16_t>(packets.size()));
    for (std::uint16_t i = 0; i < count; ++i) {
      // Some drivers strip VLAN tags although they were told not to; the tag must be forwarded.
      if ((mbufs[i]->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) != 0) [[unlikely]] {
        (void)rte_vlan_insert(&mbufs[i]);
      }
      mbufs[i]->ol_flags = 0;
    }
    return count;
  }

  /// REQUIRES: takes(port) was true in this loop.
  std::uint32_t tx(std::uint16_t port, std::span<void*> packets) {
    const std::uint16_t device = read(gates_[port].device);
    if (device == kNoDevice) [[unlikely]]
      return 0;
    return rte_eth_tx_burst(device, tx_queue_, reinterpret_cast<rte_mbuf**>(packets.data()),
                            static_cast<std::uint16_t>(packets.size()));
  }
  [[nodiscard]] bool takes(std::uint16_t port) const { return read(gates_[port].takes); }

  void free(std::span<void*> packets) {
    rte_pktmbuf_free_bulk(reinterpret_cast<rte_mbuf**>(packets.data()),
                          static_cast<unsigned>(packets.size()));
  }

  datapath::FrameBytes frame(void* packet) {
    const auto* const mbuf = static_cast<const rte_mbuf*>(packet);
    return {{rte_pktmbuf_mtod(mbuf, const std::uint8_t*), mbuf->data_len}, mbuf->pkt_len};
  }
  std::span<std::uint8_t> writable_bytes(void* packet) {
    auto* const mbuf = static_cast<rte_mbuf*>(packet);
    return {rte_pktmbuf_mtod(mbuf, std::uint8_t*), mbuf->data_len};
  }
  void prefetch(void* packet) {
    rte_prefetch0(rte_pktmbuf_mtod(static_cast<const rte_mbuf*>(packet), const void*));
  }

  [[nodiscard]] std::uint16_t rx_queues() const {
    return static_cast<std::uint16_t>(rx_queues_.size());
  }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t number) const {
    return rx_queues_[number].port;
  }
  [[nodiscard]] std::uint16_t egress(std::uint16_t port) const { return egress_[port]; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t ingress) const {
    return read(gates_[ingress].longest_forwarded);
  }
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t ingress,
                                                           const datapath::FrameBytes& frame) const;

 private:
  template <class T>
  static T read(const std::atomic<T>& value) {
    return value.load(std::memory_order_relaxed);
  }

  std::vector<RxQueue> rx_queues_;
  const PortGate* gates_;
  std::uint16_t tx_queue_;
  std::array<std::uint16_t, kMaxPorts> egress_{};
};
static_assert(datapath::PacketIo<DpdkIo>);

}  // namespace drip::dpdk
