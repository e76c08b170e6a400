// SPDX-License-Identifier: BSD-3-Clause
// Measures the gaps between one flow's frames.
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "base/quantile.h"
#include "commands.h"
#include "packet_socket.h"
#include "traffic.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kBlockBytes = 1U << 19;
constexpr std::uint32_t kBlocks = 64;
constexpr std::uint16_t kSnapBytes = 64;

// Frames of the flow alone, and of them only the headers: what is not copied disturbs nobody.
void accept_flow(PacketSocket& socket, std::uint32_t flow) {
  std::array<sock_filter, 6> code = {{
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kPortOffset),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kFirstPort + flow, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, kSnapBytes),
      BPF_STMT(BPF_RET | BPF_K, 0),
  }};
  const sock_fprog program{code.size(), code.data()};
  socket.set(SOL_SOCKET, SO_ATTACH_FILTER, program, "SO_ATTACH_FILTER");
}

// The kernel's ring of blocks (packet_mmap.rst, TPACKET_V3).
class Ring {
 public:
  explicit Ring(PacketSocket& socket) : socket_(socket) {
    socket.set(SOL_PACKET, PACKET_VERSION, static_cast<int>(TPACKET_V3), "PACKET_VERSION");
    tpacket_req3 request{};
    request.tp_block_size = kBlockBytes;
    request.tp_block_nr = kBlocks;
    request.tp_frame_size = 2048;
    request.tp_frame_nr = kBlocks * (kBlockBytes / request.tp_frame_size);
    request.tp_retire_blk_tov = 20;  // ms
    socket.set(SOL_PACKET, PACKET_RX_RING, request, "PACKET_RX_RING");
    void* const memory = mmap(nullptr, std::size_t{kBlockBytes} * kBlocks, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_POPULATE, socket.fd(), 0);
    if (memory == MAP_FAILED) throw std::runtime_error("the packet ring cannot be mapped");
    memory_ = static_cast<std::uint8_t*>(memory);
  }
  ~Ring() { munmap(memory_, std::size_t{kBlockBytes} * kBlocks); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // Calls `take` for each frame that came until `end`.
  template <class Take>
  void read_until(std::int64_t end, Take take) {
    std::uint32_t next = 0;
    for (;;) {
      auto* const block =
          reinterpret_cast<tpacket_block_desc*>(memory_ + std::size_t{next} * kBlockBytes);
      std::uint32_t& status = block->hdr.bh1.block_status;
      if ((__atomic_load_n(&status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
        const std::int64_t left = end - monotonic_ns();
        if (left <= 0) return;
        pollfd ready{socket_.fd(), POLLIN, 0};
        poll(&ready, 1, static_cast<int>(left / 1'000'000 + 1));
        continue;
      }
      auto* at = reinterpret_cast<std::uint8_t*>(block) + block->hdr.bh1.offset_to_first_pkt;
      for (std::uint32_t i = 0; i < block->hdr.bh1.num_pkts; ++i) {
        const auto* const header = reinterpret_cast<const tpacket3_hdr*>(at);
        take(*header);
        at += header->tp_next_offset;
      }
      __atomic_store_n(&status, static_cast<std::uint32_t>(TP_STATUS_KERNEL), __ATOMIC_RELEASE);
      next = (next + 1) % kBlocks;
    }
  }
  [[nodiscard]] std::uint64_t dropped() const {
    tpacket_stats_v3 stats{};
    socklen_t bytes = sizeof stats;
    getsockopt(socket_.fd(), SOL_PACKET, PACKET_STATISTICS, &stats, &bytes);
    return stats.tp_drops;
  }

 private:
  PacketSocket& socket_;
  std::uint8_t* memory_;
};

void report(const std::vector<std::int64_t>& stamps, double ideal_gap_ns, std::uint64_t frame_bytes,
            std::uint64_t unstamped, std::uint64_t dropped) {
  std::vector<double> errors;
  for (std::size_t i = 1; i < stamps.size(); ++i) {
    errors.push_back(std::abs(static_cast<double>(stamps[i] - stamps[i - 1]) - ideal_gap_ns));
  }
  std::sort(errors.begin(), errors.end());
  const double span = stamps.size() > 1 ? static_cast<double>(stamps.back() - stamps.front()) : 0;
  const double pps = span > 0 ? 1e9 * static_cast<double>(stamps.size() - 1) / span : 0;
  fmt::print(
      "{{\"packets\": {}, \"frame_bytes\": {}, \"pps\": {:.3f}, \"stamped_late\": {}, "
      "\"ring_drops\": {}, \"ideal_gap_ns\": {:.3f}, \"error_ns\": {{",
      stamps.size(), frame_bytes, pps, unstamped, dropped, ideal_gap_ns);
  for (const auto& [name, q] :
       {std::pair{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1.0}}) {
    fmt::print("{}\"{}\": {:.0f}", q == 0.5 ? "" : ", ", name, quantile(errors, q));
  }
  // For the plot: half of the points above p90, where the difference lies.
  fmt::print("}}, \"error_curve\": [");
  for (int i = 0; i <= 100; ++i) {
    const double q = i <= 45 ? i * 0.02 : 1 - 0.1 * std::pow(10, -(i - 45) / 20.0);
    fmt::print("{}[{:.6f}, {:.0f}]", i == 0 ? "" : ", ", q, quantile(errors, q));
  }
  fmt::print("]}}\n");
}

}  // namespace

void receive(const ReceiveOptions& options) {
  PacketSocket socket(options.interface, ETH_P_IP);
  accept_flow(socket, options.flow);
  // Also makes the kernel stamp each frame where the interface gets it, on the sending CPU, and not
  // when the receiving one comes to it.
  socket.set(SOL_SOCKET, SO_TIMESTAMPNS, 1, "SO_TIMESTAMPNS");
  Ring ring(socket);
  socket.bind();
  if (options.cpu >= 0) stay_on_cpu(options.cpu);
  std::vector<std::int64_t> stamps;
  stamps.reserve(1 << 22);
  std::uint64_t frame_bytes = 0;
  std::uint64_t unstamped = 0;
  const auto skip = static_cast<std::int64_t>(options.skip_seconds * 1e9);
  std::int64_t first = 0;
  const std::int64_t end =
      monotonic_ns() + static_cast<std::int64_t>((options.seconds + options.skip_seconds) * 1e9);
  fmt::print("ready\n");
  std::fflush(stdout);
  ring.read_until(end, [&](const tpacket3_hdr& header) {
    const std::int64_t stamp = std::int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec;
    if (first == 0) first = stamp;
    if (stamp - first < skip) return;
    frame_bytes = header.tp_len;
    unstamped += static_cast<std::uint64_t>((header.tp_status & TP_STATUS_TS_SOFTWARE) == 0);
    stamps.push_back(stamp);
  });
  if (!options.stamps_path.empty()) {
    std::ofstream file(options.stamps_path);
    for (const std::int64_t stamp : stamps) file << stamp << '\n';
  }
  report(stamps, options.ideal_gap_ns, frame_bytes, unstamped, ring.dropped());
}

}  // namespace drip::bench
