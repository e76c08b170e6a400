// SPDX-License-Identifier: BSD-3-Clause
// Configures librte_sched for one pipe a bucket.
#include "bench/path/sched_peer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "fmt/format.h"

namespace drip::bench {
namespace {

std::uint64_t bytes_per_second(double bits_per_second) {
  return static_cast<std::uint64_t>(std::llround(bits_per_second / 8));
}

absl::Status failed(const char* call, const SchedPeerSettings& settings, int error) {
  return absl::ResourceExhaustedError(
      fmt::format("librte_sched: {} failed ({}) for {} pipes of {} bit/s", call, error,
                  settings.pipes, settings.pipe_bits_per_second));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SchedPeer>> SchedPeer::create(const SchedPeerSettings& settings) {
  const std::uint64_t port_rate = bytes_per_second(settings.port_bits_per_second);
  const std::uint64_t pipe_rate =
      std::min(bytes_per_second(settings.pipe_bits_per_second), port_rate);
  const std::uint64_t depth = settings.frame_bytes + settings.frame_bytes / 4;
  // Within one period a class may send what its rate gives; a period must have room for a frame.
  const auto period_ms = static_cast<std::uint64_t>(
      std::max(10.0, std::ceil(2e3 * static_cast<double>(depth) / static_cast<double>(pipe_rate))));

  rte_sched_subport_profile_params subport_profile{};
  subport_profile.tb_rate = settings.subport_bits_per_second > 0
                                ? bytes_per_second(settings.subport_bits_per_second)
                                : port_rate;
  subport_profile.tb_size = settings.subport_burst_bytes;
  std::fill(std::begin(subport_profile.tc_rate), std::end(subport_profile.tc_rate),
            subport_profile.tb_rate);
  subport_profile.tc_period = 10;

  rte_sched_port_params port{};
  port.name = "bench";
  port.socket = 0;
  port.rate = port_rate;
  port.mtu = std::max(settings.frame_bytes, 1518U);
  port.frame_overhead = 0;
  port.n_subports_per_port = settings.subports;
  port.subport_profiles = &subport_profile;
  port.n_subport_profiles = 1;
  port.n_max_subport_profiles = 1;
  port.n_pipes_per_subport = settings.pipes;
  rte_sched_port* const handle = rte_sched_port_config(&port);
  if (handle == nullptr) return failed("rte_sched_port_config", settings, 0);
  std::unique_ptr<SchedPeer> peer(new SchedPeer(handle, settings));

  rte_sched_pipe_params pipe{};
  pipe.tb_rate = pipe_rate;
  pipe.tb_size = depth;
  pipe.tc_rate[RTE_SCHED_TRAFFIC_CLASS_BE] = pipe_rate;
  pipe.tc_period = period_ms;
  pipe.tc_ov_weight = 1;
  std::fill(std::begin(pipe.wrr_weights), std::end(pipe.wrr_weights), 1);

  rte_sched_subport_params subport{};
  subport.n_pipes_per_subport_enabled = settings.pipes;
  subport.qsize[RTE_SCHED_TRAFFIC_CLASS_BE] = static_cast<std::uint16_t>(settings.queue_packets);
  subport.pipe_profiles = &pipe;
  subport.n_pipe_profiles = 1;
  subport.n_max_pipe_profiles = 1;
  for (std::uint32_t i = 0; i < settings.subports; ++i) {
    if (const int error = rte_sched_subport_config(handle, i, &subport, 0); error != 0) {
      return failed("rte_sched_subport_config", settings, error);
    }
    for (std::uint32_t j = 0; j < settings.pipes; ++j) {
      if (const int error = rte_sched_pipe_config(handle, i, j, 0); error != 0) {
        return failed("rte_sched_pipe_config", settings, error);
      }
    }
  }
  return peer;
}

}  // namespace drip::bench
