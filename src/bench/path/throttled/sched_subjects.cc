// SPDX-License-Identifier: BSD-3-Clause
// librte_sched with the same receive ring: a pipe for each bucket, or a tree with its
// subport at the bottleneck.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "bench/path/sched_peer.h"
#include "bench/path/throttled/subject.h"

namespace drip::bench {
namespace {

// As DPDK's example application has it (examples/qos_sched).
constexpr std::uint32_t kBurst = BenchPort::kMostReceived;
// A rate that its 64-bit arithmetic takes and no core reaches.
constexpr double kNoBits = 100e9;
// Of its rate a subport makes up for after a stall; used up before it is measured.
constexpr double kMadeUpSeconds = 0.005;
constexpr std::uint32_t kQueues = 4;  // Best-effort ones of a pipe.

class Sched final : public Subject {
 public:
  Sched(const Load& load, First first, std::unique_ptr<PacketPool> pool,
        std::unique_ptr<SchedPeer> peer)
      : Subject({load.bench, *pool, load.traffic, load.start, load.allowed_pps}),
        first_(first),
        pool_of_its_own_(std::move(pool)),
        peer_(std::move(peer)) {}

  void poll() override {
    std::array<rte_mbuf*, kBurst> packets;
    std::array<std::uint32_t, kBurst> numbers;
    const std::uint32_t count = port_.receive(packets, numbers);
    for (std::uint32_t i = 0; i < count; ++i) peer_->classify(packets[i], numbers[i]);
    if (count > 0) {
      port_.count_dropped(count - peer_->enqueue(std::span(packets).first(count)));
    }
    const std::uint32_t departed = peer_->dequeue(packets);
    if (departed > 0) {
      port_.tx(0, {reinterpret_cast<void**>(packets.data()), departed});
    }
  }
  [[nodiscard]] First first() const override { return first_; }

 private:
  First first_;
  // rte_sched_port_free() forgets the packets of a queue that is full to the last place, so those
  // of each subject end with their pool.
  std::unique_ptr<PacketPool> pool_of_its_own_;
  std::unique_ptr<SchedPeer> peer_;
};

absl::StatusOr<std::unique_ptr<Subject>> make(const Load& load, Subject::First first,
                                              const SchedPeerSettings& settings) {
  auto pool = PacketPool::create(load.traffic.most_waiting() + kMorePackets, load.pool.frames());
  if (!pool.ok()) return pool.status();
  auto peer = SchedPeer::create(settings);
  if (!peer.ok()) return peer.status();
  return std::make_unique<Sched>(load, first, *std::move(pool), *std::move(peer));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Subject>> make_sched(const Load& load) {
  SchedPeerSettings settings;
  settings.pipes = load.traffic.buckets();
  settings.pipe_bits_per_second = load.allowed_bits() / load.traffic.buckets();
  // Its port paces too, and is given a tenth more than the pipes together.
  settings.port_bits_per_second = 1.1 * load.allowed_bits();
  settings.queue_packets = load.traffic.least_capacity();
  settings.frame_bytes = load.pool.frames().longest();
  return make(load, Subject::First::kByArrival, settings);
}

absl::StatusOr<std::unique_ptr<Subject>> make_sched_tree(const Load& load) {
  // Its port's rate is only a measure of time, to which a NIC holds it: what it keeps by itself are
  // the rates of subports, as long as the port's is higher.
  SchedPeerSettings settings;
  settings.pipes = load.traffic.buckets() / kQueues;
  settings.pipe_bits_per_second = kNoBits;
  settings.port_bits_per_second = 1.1 * load.allowed_bits();
  settings.subport_bits_per_second = load.allowed_bits();
  settings.queue_packets = load.traffic.least_capacity();
  settings.frame_bytes = load.pool.frames().longest();
  settings.queues_a_pipe = kQueues;
  settings.subport_burst_bytes =
      std::max(kBurst * settings.frame_bytes,
               static_cast<std::uint32_t>(kMadeUpSeconds * load.allowed_bits() / 8));
  return make(load, Subject::First::kAny, settings);
}

}  // namespace drip::bench
