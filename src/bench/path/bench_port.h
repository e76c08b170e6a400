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

#include "bench/path/arrival_pace.h"
#include "bench/path/bucket_order.h"
#include "bench/path/packet_pool.h"
#include "datapath/packet_io.h"
#include "drip/cache_line.h"
#include "drip/unit_ref.h"

namespace drip::bench {

/// The PacketIo of the benchmarks: one receive queue, one port, hairpin. Allocates and frees mbufs
/// as a driver does. On cache lines of its own: other threads have theirs beside it.
class alignas(kCacheLineBytes) BenchPort {
 public:
  static constexpr std::size_t kMostReceived = 64;

  BenchPort(PacketPool& pool, BucketOrder& order) : pool_(&pool), order_(&order) {}

  void set_pace(const ArrivalPace& pace) { pace_ = pace; }
  [[nodiscard]] const ArrivalPace& pace() const { return pace_; }
  /// Where packets are for from now on.
  void set_order(BucketOrder& order) { order_ = &order; }
  /// Those of each bucket are of so many flows from now on, at random: a power of two.
  void set_flows(std::uint32_t flows) { flows_ = flows; }
  /// From now on sent_bytes() counts.
  void count_bytes() { counts_bytes_ = true; }
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
    if (count == 0) return 0;
    if (!pool_->take(packets.first(count))) [[unlikely]] {
      pace_.miss(count);
      return 0;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      buckets[i] = order_->next();
      pool_->write(packets[i], buckets[i]);
    }
    if (flows_ > 1) {
      for (std::uint32_t i = 0; i < count; ++i) PacketPool::write_flow(packets[i], draw_flow());
    }
    received_ += count;
    return count;
  }
  std::uint32_t tx(std::uint16_t, std::span<void*> packets) {
    const std::span<rte_mbuf*> mbufs(reinterpret_cast<rte_mbuf**>(packets.data()), packets.size());
    if (departures_ != nullptr) note(mbufs);
    if (counts_bytes_) {
      for (const rte_mbuf* const mbuf : mbufs) sent_bytes_ += mbuf->pkt_len;
    }
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

  /// Of packets that somebody else has freed.
  void count_dropped(std::uint64_t packets) { dropped_ += packets; }

  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  /// Frames without FCS; 0 before count_bytes().
  [[nodiscard]] std::uint64_t sent_bytes() const { return sent_bytes_; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  // xorshift64 (Marsaglia 2003).
  std::uint32_t draw_flow() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<std::uint32_t>(random_ >> 32) & (flows_ - 1);
  }
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
  std::uint32_t flows_ = 1;
  std::uint64_t random_ = 88172645463325252;
  bool counts_bytes_ = false;
  std::uint64_t received_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t dropped_ = 0;
};
static_assert(datapath::PacketIo<BenchPort>);

}  // namespace drip::bench
