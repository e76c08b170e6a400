// SPDX-License-Identifier: BSD-3-Clause
// DPDK's librte_sched, doing the same job: a pipe for each bucket.
#pragma once

#include <rte_mbuf.h>
#include <rte_sched.h>

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"

namespace drip::bench {

struct SchedPeerSettings {
  std::uint32_t pipes = 1;
  double pipe_bits_per_second = 0;
  /// Of its port, which paces it as well. Its documentation asks for at least the sum of the pipes.
  double port_bits_per_second = 0;
  std::uint32_t queue_packets = 64;  ///< A power of two.
  std::uint32_t frame_bytes = 0;
};

/// One port, one subport, only the best-effort class of each pipe in use: what costs it least. Its
/// token buckets hold one frame and a quarter, the least that lets it reach the rate; the frame
/// overhead is 0, as Drip's is.
class SchedPeer {
 public:
  static constexpr std::uint32_t kMaxPipes = 65536;

  static absl::StatusOr<std::unique_ptr<SchedPeer>> create(const SchedPeerSettings& settings);
  ~SchedPeer() { rte_sched_port_free(port_); }
  SchedPeer(const SchedPeer&) = delete;
  SchedPeer& operator=(const SchedPeer&) = delete;

  /// What its classifier does: writes the pipe into the packet.
  void classify(rte_mbuf* packet, std::uint32_t pipe) const {
    rte_sched_port_pkt_write(port_, packet, 0, pipe, RTE_SCHED_TRAFFIC_CLASS_BE, 0,
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
  explicit SchedPeer(rte_sched_port* port) : port_(port) {}
  rte_sched_port* port_;
};

}  // namespace drip::bench
