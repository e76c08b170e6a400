// SPDX-License-Identifier: BSD-3-Clause
// Shapes by destination address between two DPDK ports, as DPDK's qos_sched example does for one
// level: receive, classify, enqueue, dequeue, transmit, on one core.
//
//   c++ -std=c++20 $(pkg-config --cflags drip libdpdk) dpdk_shaper.cc -o dpdk_shaper
//     $(pkg-config --libs libdpdk)
//   ./dpdk_shaper --no-huge -m 64 --no-pci --no-shconf --vdev net_ring0 --vdev net_ring1
//
// Port 0 is where packets come in, port 1 where they leave. A net_ring port receives what is sent
// to it, so the same loop feeds port 0 and empties port 1; with real ports, leave Traffic out. It
// ends after 0.2 s, with a balance of all packets and of the rate of each bucket.
#include <drip/shaper.h>
#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace {

using Shaper = drip::Shaper<rte_mbuf>;

constexpr std::uint16_t kIn = 0;
constexpr std::uint16_t kOut = 1;
constexpr std::uint16_t kBurst = 32;
constexpr std::size_t kBuckets = 4;
constexpr std::uint32_t kCapacity = 128;
constexpr std::uint32_t kFrameBytes = 1250;  // 10,000 bits.
constexpr std::array<double, kBuckets> kBitsPerSecond = {20e6, 50e6, 100e6, 150e6};
// Less than a full bucket lasts, so that no bucket is ever empty, however long this core is
// stopped.
constexpr drip::Duration kMaxCatchup{2'000'000};
constexpr std::int64_t kRunNs = 200'000'000;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "FAILED: %s\n", what);
  std::exit(1);
}

// The caller's clock: ns since the program began, from the TSC.
class Clock {
 public:
  [[nodiscard]] drip::TimePoint now() const {
    const std::uint64_t cycles = rte_get_tsc_cycles() - begin_;
    return {cycles / hz_ * 1'000'000'000 + cycles % hz_ * 1'000'000'000 / hz_};
  }

 private:
  std::uint64_t hz_ = rte_get_tsc_hz();
  std::uint64_t begin_ = rte_get_tsc_cycles();
};

void start_port(std::uint16_t port, rte_mempool* pool) {
  rte_eth_conf conf{};
  if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
      rte_eth_rx_queue_setup(port, 0, 1024, SOCKET_ID_ANY, nullptr, pool) != 0 ||
      rte_eth_tx_queue_setup(port, 0, 1024, SOCKET_ID_ANY, nullptr) != 0 ||
      rte_eth_dev_start(port) != 0) {
    fail("a port does not start");
  }
}

// The bucket of a packet: the last two bits of its IPv4 destination. Others have none.
int classify(const rte_mbuf* packet) {
  const auto* const ether = rte_pktmbuf_mtod(packet, const rte_ether_hdr*);
  if (rte_pktmbuf_data_len(packet) < sizeof(rte_ether_hdr) + sizeof(rte_ipv4_hdr) ||
      ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
    return -1;
  }
  const auto* const ip = reinterpret_cast<const rte_ipv4_hdr*>(ether + 1);
  return static_cast<int>(rte_be_to_cpu_32(ip->dst_addr) % kBuckets);
}

// The outside world: more packets for every bucket than its rate allows, and the far end.
class Traffic {
 public:
  explicit Traffic(rte_mempool* pool) : pool_(pool) {}

  // As many packets for bucket `bucket` as it has room for, and one more.
  void send(std::size_t bucket, std::uint64_t backlog) {
    for (std::uint64_t n = backlog; n < kCapacity + 1; ++n) {
      rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
      if (packet == nullptr) return;
      char* const frame = rte_pktmbuf_append(packet, kFrameBytes);
      auto* const ether = reinterpret_cast<rte_ether_hdr*>(frame);
      *ether = {};
      ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
      auto* const ip = reinterpret_cast<rte_ipv4_hdr*>(ether + 1);
      *ip = {};
      ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 0) + static_cast<std::uint32_t>(bucket));
      if (rte_eth_tx_burst(kIn, 0, &packet, 1) != 1) {
        rte_pktmbuf_free(packet);
        return;
      }
    }
  }
  void receive() {
    std::array<rte_mbuf*, kBurst> packets{};
    std::uint16_t count = 0;
    while ((count = rte_eth_rx_burst(kOut, 0, packets.data(), kBurst)) > 0) {
      for (std::uint16_t i = 0; i < count; ++i) {
        const int bucket = classify(packets[i]);
        if (bucket >= 0) ++received_[static_cast<std::size_t>(bucket)];
      }
      rte_pktmbuf_free_bulk(packets.data(), count);
    }
  }
  [[nodiscard]] std::uint64_t received(std::size_t bucket) const { return received_[bucket]; }

 private:
  rte_mempool* pool_;
  std::array<std::uint64_t, kBuckets> received_{};
};

struct Counts {
  std::uint64_t received = 0;
  std::uint64_t rejected = 0;
  std::uint64_t unclassified = 0;
  std::uint64_t transmitted = 0;
};

// Receives a burst, classifies and enqueues it. False if there was nothing to receive.
bool receive_burst(Shaper& shaper, drip::TimePoint now, Counts& counts) {
  std::array<rte_mbuf*, kBurst> packets{};
  const std::uint16_t received = rte_eth_rx_burst(kIn, 0, packets.data(), kBurst);
  counts.received += received;
  std::array<Shaper::Arrival, kBurst> arrivals{};
  std::size_t count = 0;
  for (std::uint16_t i = 0; i < received; ++i) {
    const int bucket = classify(packets[i]);
    if (bucket < 0) {
      ++counts.unclassified;
      rte_pktmbuf_free(packets[i]);
      continue;
    }
    arrivals[count++] = {static_cast<std::uint32_t>(bucket), rte_pktmbuf_pkt_len(packets[i]),
                         packets[i]};
  }
  shaper.enqueue(std::span(arrivals).first(count), now, [&](rte_mbuf* packet, drip::RejectReason) {
    ++counts.rejected;
    rte_pktmbuf_free(packet);
  });
  return received > 0;
}

// Packets between the shaper and the port.
class TransmitQueue {
 public:
  // Dequeues what is due and transmits it. What the port does not take is offered again, before
  // anything else, so packets stay in order. True if more may be due.
  bool send_due(Shaper& shaper, drip::TimePoint now, Counts& counts) {
    const std::size_t room = packets_.size() - waiting_;
    const std::size_t dequeued = shaper.dequeue(now, std::span(packets_).last(room));
    waiting_ = static_cast<std::uint16_t>(waiting_ + dequeued);
    const std::uint16_t taken = rte_eth_tx_burst(kOut, 0, packets_.data(), waiting_);
    std::copy(packets_.begin() + taken, packets_.begin() + waiting_, packets_.begin());
    waiting_ = static_cast<std::uint16_t>(waiting_ - taken);
    counts.transmitted += taken;
    return dequeued == room || waiting_ > 0;
  }

 private:
  std::array<rte_mbuf*, 4 * kBurst> packets_{};
  std::uint16_t waiting_ = 0;
};

// Whether bucket i, which was never empty from `first` to `last`, has sent as many packets as its
// rate gives, less the schedule time that it lost because this core was away for too long.
bool rate_is_exact(std::size_t i, const drip::BucketCounters& stats, drip::TimePoint first,
                   drip::TimePoint last) {
  const double period_ns = 8e9 * kFrameBytes / kBitsPerSecond[i];
  const double served_ns =
      static_cast<double>((last - first).ns) - static_cast<double>(stats.lost_schedule_ns);
  const auto expected = static_cast<std::int64_t>(served_ns / period_ns) + 1;
  const auto departed = static_cast<std::int64_t>(stats.departed);
  std::printf("bucket %zu: %5.0f Mbit/s, departed %" PRId64 ", by its rate %" PRId64
              ", rejected %" PRIu64 ", lateness p99 %" PRIu64 " ns, lost schedule %" PRIu64 " ns\n",
              i, kBitsPerSecond[i] / 1e6, departed, expected,
              stats.rejected[static_cast<std::size_t>(drip::RejectReason::kFull)],
              stats.lateness.quantile_ns(0.99), stats.lost_schedule_ns);
  return std::abs(departed - expected) <= 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (rte_eal_init(argc, argv) < 0) fail("the EAL does not start");
  if (rte_eth_dev_count_avail() < 2)
    fail("two ports are needed: --vdev net_ring0 --vdev net_ring1");
  rte_mempool* const pool =
      rte_pktmbuf_pool_create("packets", 4095, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) fail("no memory for packets");
  const unsigned packets = rte_mempool_avail_count(pool);
  start_port(kIn, pool);
  start_port(kOut, pool);

  const Clock clock;
  Shaper shaper({.max_buckets = kBuckets, .ring_slots = 4096, .start = clock.now()});
  for (std::size_t i = 0; i < kBuckets; ++i) {
    drip::BucketSettings settings;
    settings.capacity = kCapacity;
    settings.bits_per_second = kBitsPerSecond[i];
    settings.departure = drip::Departure::kAtStart;
    settings.max_catchup = kMaxCatchup;
    const auto bucket = shaper.add_bucket(settings, clock.now());
    if (!bucket.ok()) fail(bucket.error().c_str());
    if (*bucket != i) fail("buckets are numbered from 0");
  }

  Traffic traffic(pool);
  Counts counts;
  TransmitQueue queue;
  const drip::TimePoint begin = clock.now();
  drip::TimePoint first;
  drip::TimePoint now = begin;
  while ((now - begin).ns < kRunNs) {
    // Every bucket is filled before anything departs.
    for (std::size_t i = 0; i < kBuckets; ++i) traffic.send(i, shaper.stats(i).backlog);
    now = clock.now();
    if (counts.received == 0) first = now;
    while (receive_burst(shaper, now, counts)) {
    }
    queue.send_due(shaper, now, counts);
    traffic.receive();
  }
  while (queue.send_due(shaper, now, counts)) traffic.receive();
  traffic.receive();

  bool good = true;
  std::uint64_t admitted = 0;
  std::uint64_t departed = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const drip::BucketCounters stats = shaper.stats(i);
    good &= rate_is_exact(i, stats, first, now) && traffic.received(i) == stats.departed;
    admitted += stats.admitted;
    departed += stats.departed;
  }
  const std::uint64_t waiting = shaper.drop_all([](rte_mbuf* packet) { rte_pktmbuf_free(packet); });
  std::printf("received %" PRIu64 " = transmitted %" PRIu64 " + rejected %" PRIu64
              " + waiting %" PRIu64 "\n",
              counts.received, counts.transmitted, counts.rejected, waiting);
  good &= counts.received == counts.transmitted + counts.rejected + waiting;
  good &= admitted == departed + waiting && counts.unclassified == 0;
  good &= rte_mempool_avail_count(pool) == packets;
  for (const std::uint16_t port : {kIn, kOut}) rte_eth_dev_stop(port);
  rte_eal_cleanup();
  if (!good) fail("packets were lost, or a rate is off");
  return 0;
}
