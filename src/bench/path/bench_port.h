// SPDX-License-Identifier: BSD-3-Clause
// A port without a NIC: what it receives is made here, and what is sent ends here.
#pragma once

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bench/path/bucket_order.h"
#include "bench/path/packet_pool.h"
#include "datapath/packet_io.h"
#include "drip/cache_line.h"
#include "drip/unit_ref.h"

namespace drip::bench {

/// How fast packets arrive, as at a NIC with a receive ring: what comes while nobody polls waits in
/// the ring, and is missed when that is full.
class ArrivalPace {
 public:
  static constexpr std::uint64_t kRingPackets = 4096;

  ArrivalPace() = default;  ///< As fast as they are taken.
  ArrivalPace(double packets_per_second, double tsc_hz)
      : tsc_per_packet_(tsc_hz / packets_per_second), last_(rte_rdtsc()) {}

  /// At most `most` of those that have come; they are gone.
  [[nodiscard]] std::uint32_t take(std::uint32_t most) {
    if (tsc_per_packet_ == 0) return most;
    const std::uint64_t now = rte_rdtsc();
    come_ += static_cast<double>(now - last_) / tsc_per_packet_;
    last_ = now;
    if (come_ > static_cast<double>(kRingPackets)) {
      missed_ += static_cast<std::uint64_t>(come_) - kRingPackets;
      come_ = static_cast<double>(kRingPackets);
    }
    const std::uint32_t count = std::min(most, static_cast<std::uint32_t>(come_));
    come_ -= count;
    return count;
  }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }

 private:
  double tsc_per_packet_ = 0;
  std::uint64_t last_ = 0;
  double come_ = 0;
  std::uint64_t missed_ = 0;
};

/// The PacketIo of the benchmarks: one receive queue, one port, hairpin. Allocates and frees mbufs
/// as a driver does. On cache lines of its own: other threads have theirs beside it.
class alignas(kCacheLineBytes) BenchPort {
 public:
  static constexpr std::size_t kMostReceived = 64;

  BenchPort(PacketPool& pool, BucketOrder& order) : pool_(&pool), order_(&order) {}

  void set_pace(const ArrivalPace& pace) { pace_ = pace; }
  [[nodiscard]] const ArrivalPace& pace() const { return pace_; }
  /// From now on sent packets are kept here instead of freed, for a caller that times the path
  /// without the sink. It must have room.
  void keep_sent(std::vector<rte_mbuf*>* kept) { kept_ = kept; }
  /// From now on the TSC is noted for each packet of `frame_bytes` that is sent, while there is
  /// room (capacity is not grown).
  void note_departures(std::vector<std::uint64_t>* tsc, std::uint32_t frame_bytes) {
    departures_ = tsc;
    noted_frame_bytes_ = frame_bytes;
  }

  std::uint32_t rx(std::uint16_t, std::span<void*> packets) {
    std::array<std::uint32_t, kMostReceived> buckets;
    return receive({reinterpret_cast<rte_mbuf**>(packets.data()), packets.size()}, buckets);
  }
  /// The same, for a caller without rules: says which bucket each packet is for.
  std::uint32_t receive(std::span<rte_mbuf*> packets, std::span<std::uint32_t> buckets) {
    const std::uint32_t count =
        pace_.take(static_cast<std::uint32_t>(std::min(packets.size(), buckets.size())));
    if (count == 0 || !pool_->take(packets.first(count))) return 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      buckets[i] = order_->next();
      pool_->write(packets[i], buckets[i]);
    }
    return count;
  }
  std::uint32_t tx(std::uint16_t, std::span<void*> packets) {
    const std::span<rte_mbuf*> mbufs(reinterpret_cast<rte_mbuf**>(packets.data()), packets.size());
    if (departures_ != nullptr) note(mbufs);
    sent_ += mbufs.size();
    if (kept_ != nullptr) {
      kept_->insert(kept_->end(), mbufs.begin(), mbufs.end());
    } else {
      pool_->give(mbufs);
    }
    return static_cast<std::uint32_t>(mbufs.size());
  }
  [[nodiscard]] bool takes(std::uint16_t) const { return true; }
  void free(std::span<void*> packets) {
    dropped_ += packets.size();
    pool_->give({reinterpret_cast<rte_mbuf**>(packets.data()), packets.size()});
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
  [[nodiscard]] std::uint16_t rx_queues() const { return 1; }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t) const { return 0; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t) const { return UINT32_MAX; }
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t,
                                                           const datapath::FrameBytes&) const {
    return {};
  }

  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void note(std::span<rte_mbuf*> mbufs) {
    const std::uint64_t now = rte_rdtsc();
    for (const rte_mbuf* const mbuf : mbufs) {
      if (mbuf->pkt_len == noted_frame_bytes_ && departures_->size() < departures_->capacity()) {
        departures_->push_back(now);
      }
    }
  }

  PacketPool* pool_;
  BucketOrder* order_;
  ArrivalPace pace_;
  std::vector<rte_mbuf*>* kept_ = nullptr;
  std::vector<std::uint64_t>* departures_ = nullptr;
  std::uint32_t noted_frame_bytes_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t dropped_ = 0;
};
static_assert(datapath::PacketIo<BenchPort>);

}  // namespace drip::bench
