// SPDX-License-Identifier: BSD-3-Clause
// In place of DPDK's qos_sched: port, subports, pipes and traffic classes as a tree of leaky
// buckets between two DPDK ports, on one core.
//
//   c++ -std=c++20 $(pkg-config --cflags drip libdpdk) dpdk_qos.cc -o dpdk_qos
//     $(pkg-config --libs libdpdk)
//   ./dpdk_qos --no-huge -m 64 --no-pci --no-shconf --vdev net_ring0 --vdev net_ring1
//
// The port has 300 Mbit/s. Subport 0 is guaranteed 200 of them and subport 1 100, their two pipes
// half of that each; what one does not use is the others'. A pipe has three classes: voice before
// all else, up to 10 Mbit/s, and two of data that divide the rest 3 to 1. All of them are offered
// more than they get. It ends after 0.2 s, with a balance of all packets and of every share.
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
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace {

using Shaper = drip::Shaper<rte_mbuf>;

constexpr std::uint16_t kIn = 0;
constexpr std::uint16_t kOut = 1;
constexpr std::uint16_t kBurst = 32;
constexpr std::uint32_t kCapacity = 128;
constexpr std::uint32_t kFrameBytes = 1250;  // 10,000 bits.
// Less than full leaves last, so that none is ever empty, however long this core is stopped.
constexpr drip::Duration kMaxCatchup{2'000'000};
constexpr std::int64_t kRunNs = 200'000'000;

constexpr double kPort = 300e6;
constexpr std::array<double, 2> kSubports = {200e6, 100e6};
constexpr std::size_t kPipes = 2;  // Of each subport.
struct Class {
  const char* name;
  std::uint32_t priority;
  std::uint32_t weight;
  double ceiling;
};
constexpr double kVoice = 10e6;
constexpr std::array<Class, 3> kClasses = {Class{"voice", 1, 1, kVoice}, Class{"gold", 0, 3, kPort},
                                           Class{"bulk", 0, 1, kPort}};
constexpr std::size_t kLeaves = kSubports.size() * kPipes * kClasses.size();

using Leaves = std::array<std::uint32_t, kLeaves>;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "FAILED: %s\n", what);
  std::exit(1);
}
std::uint32_t made(const drip::Result<std::uint32_t>& bucket) {
  if (!bucket.ok()) fail(bucket.error().c_str());
  return *bucket;
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

// The leaf of a packet: its IPv4 destination is 10.SUBPORT.PIPE.CLASS. Others have none.
int classify(const rte_mbuf* packet) {
  const auto* const ether = rte_pktmbuf_mtod(packet, const rte_ether_hdr*);
  if (rte_pktmbuf_data_len(packet) < sizeof(rte_ether_hdr) + sizeof(rte_ipv4_hdr) ||
      ether->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4)) {
    return -1;
  }
  const auto* const ip = reinterpret_cast<const rte_ipv4_hdr*>(ether + 1);
  const std::uint32_t address = rte_be_to_cpu_32(ip->dst_addr);
  const std::size_t subport = address >> 16 & 0xff;
  const std::size_t pipe = address >> 8 & 0xff;
  const std::size_t number = address & 0xff;
  if (subport >= kSubports.size() || pipe >= kPipes || number >= kClasses.size()) return -1;
  return static_cast<int>((subport * kPipes + pipe) * kClasses.size() + number);
}

// Port, subports and pipes hold no packets; the classes are their leaves. Returns the root.
std::uint32_t build_tree(Shaper& shaper, Leaves& leaves, drip::TimePoint now) {
  drip::BucketSettings ceiling;
  ceiling.departure = drip::Departure::kAtStart;
  ceiling.max_catchup = kMaxCatchup;
  ceiling.bits_per_second = kPort;
  const std::uint32_t port = made(shaper.add_inner_node(ceiling, {}, now));
  std::size_t leaf = 0;
  for (const double guarantee : kSubports) {
    drip::NodeSettings share;
    share.parent = port;
    share.guaranteed_bits_per_second = guarantee;
    const std::uint32_t subport = made(shaper.add_inner_node(ceiling, share, now));
    share.parent = subport;
    share.guaranteed_bits_per_second = guarantee / kPipes;
    for (std::size_t i = 0; i < kPipes; ++i) {
      const std::uint32_t pipe = made(shaper.add_inner_node(ceiling, share, now));
      for (const Class& traffic_class : kClasses) {
        drip::BucketSettings settings = ceiling;
        settings.capacity = kCapacity;
        settings.bits_per_second = traffic_class.ceiling;
        drip::NodeSettings of_class;
        of_class.parent = pipe;
        of_class.priority = traffic_class.priority;
        of_class.weight = traffic_class.weight;
        leaves[leaf++] = made(shaper.add_bucket(settings, of_class, now));
      }
    }
  }
  return port;
}

// The outside world: more packets for every leaf than it may send, and the far end.
class Traffic {
 public:
  explicit Traffic(rte_mempool* pool) : pool_(pool) {}

  // As many packets for a leaf as it has room for, and one more.
  void send(std::size_t leaf, std::uint64_t backlog) {
    const auto number = static_cast<std::uint32_t>(leaf % kClasses.size());
    const auto pipe = static_cast<std::uint32_t>(leaf / kClasses.size() % kPipes);
    const auto subport = static_cast<std::uint32_t>(leaf / kClasses.size() / kPipes);
    for (std::uint64_t n = backlog; n < kCapacity + 1; ++n) {
      rte_mbuf* packet = rte_pktmbuf_alloc(pool_);
      if (packet == nullptr) return;
      char* const frame = rte_pktmbuf_append(packet, kFrameBytes);
      auto* const ether = reinterpret_cast<rte_ether_hdr*>(frame);
      *ether = {};
      ether->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
      auto* const ip = reinterpret_cast<rte_ipv4_hdr*>(ether + 1);
      *ip = {};
      ip->dst_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 0) | subport << 16 | pipe << 8 | number);
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
      received_ += count;
      rte_pktmbuf_free_bulk(packets.data(), count);
    }
  }
  [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
  rte_mempool* pool_;
  std::uint64_t received_ = 0;
};

struct Counts {
  std::uint64_t received = 0;
  std::uint64_t rejected = 0;
  std::uint64_t unclassified = 0;
  std::uint64_t transmitted = 0;
  std::uint64_t lost = 0;  // The port did not take them.
};

// Receives a burst, classifies and enqueues it. False if there was nothing to receive.
bool receive_burst(Shaper& shaper, const Leaves& leaves, drip::TimePoint now, Counts& counts) {
  std::array<rte_mbuf*, kBurst> packets{};
  const std::uint16_t received = rte_eth_rx_burst(kIn, 0, packets.data(), kBurst);
  counts.received += received;
  std::array<Shaper::Arrival, kBurst> arrivals{};
  std::size_t count = 0;
  for (std::uint16_t i = 0; i < received; ++i) {
    const int leaf = classify(packets[i]);
    if (leaf < 0) {
      ++counts.unclassified;
      rte_pktmbuf_free(packets[i]);
      continue;
    }
    arrivals[count++] = {leaves[static_cast<std::size_t>(leaf)], rte_pktmbuf_pkt_len(packets[i]),
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

bool is_near(double a, double b) { return std::abs(a - b) <= 12 + 0.02 * b; }

// Whether a pipe has sent its share of all packets, first what voice may send, and the rest 3 to 1.
bool pipe_is_right(const Shaper& shaper, const Leaves& leaves, std::size_t pipe, double all) {
  std::array<double, kClasses.size()> departed{};
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    departed[i] = static_cast<double>(shaper.stats(leaves[pipe * kClasses.size() + i]).departed);
  }
  const double share = all * kSubports[pipe / kPipes] / kPipes / kPort;
  std::printf("subport %zu pipe %zu: by its share %.0f, voice %.0f, gold %.0f, bulk %.0f\n",
              pipe / kPipes, pipe % kPipes, share, departed[0], departed[1], departed[2]);
  // After a stall of this core a ceiling may make up for its tolerance.
  return is_near(departed[0] + departed[1] + departed[2], share) &&
         departed[0] >= all * kVoice / kPort - 2 && is_near(departed[1], 3 * departed[2]);
}

}  // namespace

int main(int argc, char** argv) {
  if (rte_eal_init(argc, argv) < 0) fail("the EAL does not start");
  if (rte_eth_dev_count_avail() < 2)
    fail("two ports are needed: --vdev net_ring0 --vdev net_ring1");
  rte_mempool* const pool =
      rte_pktmbuf_pool_create("packets", 8191, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
  if (pool == nullptr) fail("no memory for packets");
  const unsigned packets = rte_mempool_avail_count(pool);
  start_port(kIn, pool);
  start_port(kOut, pool);

  const Clock clock;
  Shaper shaper(
      {.max_buckets = 32, .ring_slots = 4096, .start = clock.now(), .max_inner_nodes = 8});
  Leaves leaves{};
  const std::uint32_t port = build_tree(shaper, leaves, clock.now());

  Traffic traffic(pool);
  Counts counts;
  const drip::TimePoint begin = clock.now();
  drip::TimePoint first;
  drip::TimePoint now = begin;
  while ((now - begin).ns < kRunNs) {
    // Every leaf is filled before anything departs.
    for (std::size_t i = 0; i < kLeaves; ++i) traffic.send(i, shaper.stats(leaves[i]).backlog);
    now = clock.now();
    if (counts.received == 0) first = now;
    while (receive_burst(shaper, leaves, now, counts)) {
    }
    std::array<rte_mbuf*, kBurst> out{};
    std::size_t count = 0;
    while ((count = shaper.dequeue(now, out)) > 0) {
      const std::uint16_t sent =
          rte_eth_tx_burst(kOut, 0, out.data(), static_cast<std::uint16_t>(count));
      counts.transmitted += sent;
      counts.lost += count - sent;
      rte_pktmbuf_free_bulk(&out[sent], static_cast<unsigned>(count - sent));
      traffic.receive();
    }
  }
  traffic.receive();

  // The port has sent as many packets as its rate gives, less the schedule time that it lost
  // because this core was away for too long.
  const drip::BucketCounters port_stats = shaper.stats(port);
  const double served_ns =
      static_cast<double>((now - first).ns) - static_cast<double>(port_stats.lost_schedule_ns);
  const auto expected = static_cast<std::int64_t>(served_ns * kPort / 8e9 / kFrameBytes) + 1;
  const auto departed = static_cast<std::int64_t>(port_stats.departed);
  std::printf("port: departed %" PRId64 ", by its rate %" PRId64 "\n", departed, expected);
  bool good = std::abs(departed - expected) <= 1;
  for (std::size_t pipe = 0; pipe < kSubports.size() * kPipes; ++pipe) {
    good &= pipe_is_right(shaper, leaves, pipe, static_cast<double>(departed));
  }
  const std::uint64_t waiting =
      shaper.remove_bucket(port, [](rte_mbuf* packet) { rte_pktmbuf_free(packet); });
  std::printf("received %" PRIu64 " = transmitted %" PRIu64 " + rejected %" PRIu64
              " + waiting %" PRIu64 "\n",
              counts.received, counts.transmitted, counts.rejected, waiting);
  good &= counts.received == counts.transmitted + counts.rejected + waiting;
  good &= traffic.received() == counts.transmitted && counts.unclassified + counts.lost == 0;
  good &= rte_mempool_avail_count(pool) == packets;
  for (const std::uint16_t id : {kIn, kOut}) rte_eth_dev_stop(id);
  rte_eal_cleanup();
  if (!good) fail("packets were lost, or a share is off");
  return 0;
}
