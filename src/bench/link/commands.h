// SPDX-License-Identifier: BSD-3-Clause
// What drip-link does; each command prints one line of JSON at its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

struct DelayOptions {
  std::string tun;                  ///< The TUN interface that it makes, for as long as it runs.
  std::string interface;            ///< Out of which packets go, behind an Ethernet header.
  std::string to_mac;               ///< Of whoever is to get them.
  std::vector<std::string> delays;  ///< ADDRESS=MS each, by the packet's IPv4 destination.
};
/// Prints "ready" when the interface is there, and runs until SIGTERM. What is routed into the
/// interface leaves `interface` so much later, in its order, never early: a round-trip time where
/// the kernel has no netem. Packets to other addresses, and those beyond 20,000 that wait for one
/// address, are dropped. The line at the end counts packets that passed, were dropped, and were
/// refused by the kernel, and has the most that one was late.
void delay(const DelayOptions& options);

}  // namespace drip::bench
