// SPDX-License-Identifier: BSD-3-Clause
// The three things that drip-link does; each prints one line of JSON.
#pragma once

#include <cstdint>
#include <string>

namespace drip::bench {

struct SendOptions {
  std::string interface;
  std::uint32_t frame_bytes = 60;  ///< Without FCS.
  std::uint32_t flows = 1;         ///< In turn.
  double seconds = 1;
  double pps = 0;     ///< 0: as fast as the kernel takes them.
  bool spin = false;  ///< Each frame at its own moment, by busy waiting; else bursts after sleeps.
  int cpu = -1;       ///< -1: any.
  std::string
      stalls_path;  ///< With `spin`: where the stalls of the waiting loop go; empty: nowhere.
};
/// Sends UDP frames by a packet socket that goes past the sending side's own queueing discipline.
void send(const SendOptions& options);

struct ReceiveOptions {
  std::string interface;
  std::uint32_t flow = 0;
  double seconds = 1;
  double skip_seconds = 0.2;  ///< Not judged: until all is backlogged.
  double ideal_gap_ns = 0;
  int cpu = -1;
  std::string
      stamps_path;  ///< Where the stamps go, one a line (CLOCK_REALTIME, ns); empty: nowhere.
};
/// The gaps between one flow's frames, by the kernel's stamps at the moment at which the interface
/// got each.
void receive(const ReceiveOptions& options);

struct SoakOptions {
  double seconds = 1;
  int cpu = 0;
};
/// Which part of a CPU others use: a thread that yields to all of them (SCHED_IDLE) counts how many
/// pieces of work it gets done, and what one takes undisturbed. Unlike /proc/stat, which looks 250
/// times a second, it also sees softirqs.
void soak(const SoakOptions& options);

}  // namespace drip::bench
