// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/socket_counters.h"

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>
#include <system_error>

namespace drip::netdev {
namespace {

int family_of(int fd) {
  int family = 0;
  socklen_t bytes = sizeof family;
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) == 0 ? family : AF_UNSPEC;
}

// Reading them sets the kernel's counters to 0.
std::uint64_t take_packet_drops(int fd) {
  tpacket_stats stats{};
  socklen_t bytes = sizeof stats;
  return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0 ? stats.tp_drops : 0;
}

// Frames without a buffer to write them to, too long for it, or without room in the receive ring.
// Kernels before 5.9 give the first only.
std::uint64_t xdp_drops(int fd) {
  xdp_statistics stats{};
  socklen_t bytes = sizeof stats;
  if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &stats, &bytes) != 0) return 0;
  return stats.rx_dropped + stats.rx_ring_full;
}

}  // namespace

std::vector<int> packet_sockets() {
  std::vector<int> sockets;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::string name = entry.path().filename();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    const int family = family_of(fd);
    if (family == AF_PACKET || family == AF_XDP) sockets.push_back(fd);
  }
  return sockets;
}

SocketCounters::SocketCounters(const std::vector<int>& before) {
  for (const int fd : packet_sockets()) {
    if (std::find(before.begin(), before.end(), fd) == before.end()) {
      sockets_.push_back({fd, family_of(fd)});
    }
  }
}

std::uint64_t SocketCounters::missed() {
  std::uint64_t missed = 0;
  for (Socket& socket : sockets_) {
    if (socket.family == AF_PACKET) {
      socket.missed += take_packet_drops(socket.fd);
    } else {
      socket.missed = std::max(socket.missed, xdp_drops(socket.fd));
    }
    missed += socket.missed;
  }
  return missed;
}

bool SocketCounters::zero_copy() const {
  return std::any_of(sockets_.begin(), sockets_.end(), [](const Socket& socket) {
    xdp_options options{};
    socklen_t bytes = sizeof options;
    return socket.family == AF_XDP &&
           getsockopt(socket.fd, SOL_XDP, XDP_OPTIONS, &options, &bytes) == 0 &&
           (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  });
}

// PACKET_IGNORE_OUTGOING has no effect here: the driver's sockets are members of a fanout group,
// which receives for them and was made without that option. A member's filter is asked always
// (tpacket_rcv() of net/packet/af_packet.c). What it refuses is no drop of PACKET_STATISTICS.
absl::Status SocketCounters::ignore_outgoing() {
  constexpr std::uint32_t kWhole = 0xffffffff;
  std::array<sock_filter, 4> filter{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, kWhole),
  }};
  const sock_fprog program{static_cast<std::uint16_t>(filter.size()), filter.data()};
  for (const Socket& socket : sockets_) {
    if (socket.family != AF_PACKET) continue;
    if (setsockopt(socket.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
      return absl::ErrnoToStatus(errno, "a packet socket takes no filter");
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::netdev
