// SPDX-License-Identifier: BSD-3-Clause
// DPDK's librte_sched, doing the same job: a pipe for each bucket.
#pragma once

#include <rte_mbuf.h>
#include <rte_sched.h>

#include <bit>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"

namespace drip::bench {

struct SchedPeerSettings {
  std::uint32_t pipes = 1;  ///< Of each subport: a power of two if there is more than one.
  double pipe_bits_per_second = 0;
  /// Of its port, which paces it as well. Its documentation asks for at least the sum of the pipes.
  double port_bits_per_second = 0;
  std::uint32_t queue_packets = 64;  ///< A power of two.
  std::uint32_t frame_bytes = 0;
  std::uint32_t subports = 1;
  std::uint32_t queues_a_pipe = 1;                ///< Of its best-effort class: 1, 2 or 4.
  std::uint32_t subport_burst_bytes = 1'000'000;  ///< Of its token bucket.
  double subport_bits_per_second = 0;             ///< 0: as its port.
};

/// One port, only the best-effort class of each pipe in use: what costs it least. Its
/// token buckets hold one frame and a quarter, the least that lets it reach the rate; the frame
/// overhead is 0, as Drip's is.
class SchedPeer {
 public:
  static constexpr std::uint32_t kMaxPipes = 65536;

  static absl::StatusOr<std::unique_ptr<SchedPeer>> create(const SchedPeerSettings& settings);
  ~SchedPeer() { rte_sched_port_free(port_); }
  SchedPeer(const SchedPeer&) = delete;
  SchedPeer& operator=(const SchedPeer&) = delete;

  /// What its classifier does: writes the queue into the packet, of which those of a pipe, and the
  /// pipes of a subport, have numbers that follow each other.
  void classify(rte_mbuf* packet, std::uint32_t number) const {
    const std::uint32_t pipe = number >> queues_log2_;
    rte_sched_port_pkt_write(port_, packet, pipe >> pipes_log2_, pipe & ((1U << pipes_log2_) - 1),
                             RTE_SCHED_TRAFFIC_CLASS_BE, number & ((1U << queues_log2_) - 1),
                             RTE_COLOR_GREEN);
  }
  /// Frees what does not fit; returns how many were taken.
  std::uint32_t enqueue(std::span<rte_mbuf*> packets) {
    return static_cast<std::uint32_t>(
        rte_sched_port_enqueue(port_, packets.data(), static_cast<std::uint32_t>(packets.size())));
  }
  std::uint32_t dequeue(std::span<rte_mbuf*> packets) {
    return static_cast<std::uint32_t>(
        rte_sched_port_dequeue(port_, packets.data(), static_cast<std::uint32_t>(packets.size())));
  }

 private:
  SchedPeer(rte_sched_port* port, const SchedPeerSettings& settings)
      : port_(port),
        queues_log2_(static_cast<unsigned>(std::countr_zero(settings.queues_a_pipe))),
        pipes_log2_(
            settings.subports == 1 ? 31 : static_cast<unsigned>(std::countr_zero(settings.pipes))) {
  }
  rte_sched_port* port_;
  unsigned queues_log2_;
  unsigned pipes_log2_;
};

}  // namespace drip::bench
