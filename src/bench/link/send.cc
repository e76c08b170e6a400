// SPDX-License-Identifier: BSD-3-Clause
// Sends UDP frames of many flows as fast as it can, or at a rate.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "commands.h"
#include "packet_socket.h"
#include "traffic.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kBurst = 64;
// From here on a loop that takes 0.1 us, or a call that takes 2 us, was held up.
constexpr std::int64_t kLoopStallNs = 1'000;
constexpr std::int64_t kSendStallNs = 5'000;

void put_u16(std::uint8_t* at, std::uint32_t value) {
  const std::uint16_t wire = htons(static_cast<std::uint16_t>(value));
  std::memcpy(at, &wire, sizeof wire);
}

// RFC 1071.
std::uint16_t checksum_of_header(const std::uint8_t* header) {
  std::uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += static_cast<std::uint32_t>(header[i] << 8 | header[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

// To an address that nobody has: the receiver's stack drops it as soon as it has been counted.
std::vector<std::uint8_t> frame_of(std::uint32_t frame_bytes) {
  std::vector<std::uint8_t> frame(frame_bytes);
  const std::array<std::uint8_t, 14> ethernet = {2, 0, 0, 0, 9, 2, 2, 0, 0, 0, 9, 1, 8, 0};
  std::copy(ethernet.begin(), ethernet.end(), frame.begin());
  std::uint8_t* const ip = frame.data() + 14;
  ip[0] = 0x45;
  put_u16(ip + 2, frame_bytes - 14);
  ip[8] = 64;
  ip[9] = IPPROTO_UDP;
  const std::array<std::uint8_t, 8> addresses = {10, 98, 0, 1, 10, 98, 0, 2};
  std::copy(addresses.begin(), addresses.end(), ip + 12);
  put_u16(ip + 10, checksum_of_header(ip));
  put_u16(ip + 20, kFirstPort - 1);
  put_u16(ip + 24, frame_bytes - 34);
  return frame;
}

class Burst {
 public:
  explicit Burst(const SendOptions& options) : flows_(options.flows) {
    for (std::uint32_t i = 0; i < kBurst; ++i) {
      frames_[i] = frame_of(options.frame_bytes);
      parts_[i] = {frames_[i].data(), frames_[i].size()};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }

  // Sends the next `count` frames, one by one where the kernel refuses one in between.
  void send(int fd, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      put_u16(frames_[i].data() + kPortOffset, kFirstPort + flow_);
      std::memcpy(frames_[i].data() + kNumberOffset, &number_, sizeof number_);
      ++number_;
      if (++flow_ == flows_) flow_ = 0;
    }
    for (std::uint32_t done = 0; done < count;) {
      const int taken = sendmmsg(fd, messages_.data() + done, count - done, 0);
      if (taken > 0) {
        done += static_cast<std::uint32_t>(taken);
        sent_ += static_cast<std::uint64_t>(taken);
      } else if (errno == ENOBUFS || errno == EAGAIN) {
        ++done;
        ++refused_;
      } else if (errno != EINTR) {
        throw std::runtime_error(fmt::format("send: {}", std::strerror(errno)));
      }
    }
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  std::array<std::vector<std::uint8_t>, kBurst> frames_;
  std::array<iovec, kBurst> parts_{};
  std::array<mmsghdr, kBurst> messages_{};
  std::uint32_t flows_;
  std::uint32_t flow_ = 0;
  std::uint64_t number_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t refused_ = 0;
};

void sleep_until(std::int64_t ns) {
  const timespec when{ns / 1'000'000'000, ns % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, nullptr);
}

// When the waiting loop came back late, and by how much (CLOCK_REALTIME, ns).
struct Stall {
  std::int64_t end;
  std::int64_t length;
};

// Each frame at begin + n x gap.
std::vector<Stall> send_spinning(Burst& burst, int fd, std::int64_t begin,
                                 const SendOptions& options) {
  const double gap_ns = 1e9 / options.pps;
  const auto frames = static_cast<std::uint64_t>(options.seconds * options.pps);
  std::vector<Stall> stalls;
  stalls.reserve(1 << 16);
  std::int64_t last = monotonic_ns();
  for (std::uint64_t n = 0; n < frames; ++n) {
    const std::int64_t due = begin + std::llround(static_cast<double>(n) * gap_ns);
    while (last < due) {
      const std::int64_t now = monotonic_ns();
      if (now - last > kLoopStallNs) stalls.push_back({realtime_ns(), now - last});
      last = now;
    }
    burst.send(fd, 1);
    // What the sending itself took, a stall in it included.
    const std::int64_t sent = monotonic_ns();
    if (sent - last > kSendStallNs) stalls.push_back({realtime_ns(), sent - last});
    last = sent;
  }
  return stalls;
}

void write_stalls(const std::string& path, const std::vector<Stall>& stalls) {
  std::ofstream file(path);
  for (const Stall& stall : stalls) file << stall.end << ' ' << stall.length << '\n';
}

void send_after_sleeps(Burst& burst, int fd, std::int64_t begin, const SendOptions& options) {
  constexpr std::int64_t kNapNs = 200'000;
  const std::int64_t end = begin + static_cast<std::int64_t>(options.seconds * 1e9);
  std::uint64_t offered = 0;
  for (std::int64_t now = begin; now < end; now = monotonic_ns()) {
    const auto due =
        static_cast<std::uint64_t>(static_cast<double>(now - begin) * options.pps / 1e9);
    // After a long absence the rest is skipped: a rate is asked for, not a number of frames.
    if (due - offered > 64 * kBurst) offered = due - 64 * kBurst;
    while (offered < due) {
      const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(due - offered, kBurst));
      burst.send(fd, count);
      offered += count;
    }
    sleep_until(monotonic_ns() + kNapNs);
  }
}

}  // namespace

void send(const SendOptions& options) {
  PacketSocket socket(options.interface, 0);
  socket.set(SOL_PACKET, PACKET_QDISC_BYPASS, 1, "PACKET_QDISC_BYPASS");
  socket.set(SOL_SOCKET, SO_SNDBUF, 8 << 20, "SO_SNDBUF");
  socket.bind();
  if (options.cpu >= 0) stay_on_cpu(options.cpu);
  Burst burst(options);
  std::vector<Stall> stalls;
  const std::int64_t begin = monotonic_ns();
  if (options.pps > 0 && options.spin) {
    stalls = send_spinning(burst, socket.fd(), begin, options);
    if (!options.stalls_path.empty()) write_stalls(options.stalls_path, stalls);
  } else if (options.pps > 0) {
    send_after_sleeps(burst, socket.fd(), begin, options);
  } else {
    const std::int64_t end = begin + static_cast<std::int64_t>(options.seconds * 1e9);
    while (monotonic_ns() < end) burst.send(socket.fd(), kBurst);
  }
  const double seconds = static_cast<double>(monotonic_ns() - begin) / 1e9;
  fmt::print("{{\"sent\": {}, \"refused\": {}, \"seconds\": {:.6f}, \"stalls\": {}}}\n",
             burst.sent(), burst.refused(), seconds, stalls.size());
}

}  // namespace drip::bench
