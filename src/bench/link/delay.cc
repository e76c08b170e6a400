// SPDX-License-Identifier: BSD-3-Clause
// A delay line: what the kernel routes into a TUN interface leaves another interface later.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "packet_socket.h"

namespace drip::bench {
namespace {

constexpr std::size_t kEthernetBytes = 14;
constexpr std::size_t kMostFrameBytes = 2'048;
constexpr std::size_t kDestinationOffset = 16;  // Within an IPv4 header.
constexpr std::size_t kIpv4HeaderBytes = 20;
// Of each line, so that memory is bounded: 2 s of 100 Mbit/s in long packets.
constexpr std::size_t kMostHeld = 20'000;

volatile std::sig_atomic_t stopped = 0;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

// Owns the descriptor; the interface ends with it.
class Tun {
 public:
  explicit Tun(const std::string& name) : fd_(open("/dev/net/tun", O_RDWR | O_NONBLOCK)) {
    if (fd_ < 0) fail("/dev/net/tun");
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd_, TUNSETIFF, &request) == 0) return;
    const int error = errno;
    close(fd_);
    errno = error;
    fail("TUN interface " + name);
  }
  ~Tun() { close(fd_); }
  Tun(const Tun&) = delete;
  Tun& operator=(const Tun&) = delete;
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

using Mac = std::array<std::uint8_t, 6>;

Mac mac_of(const std::string& text) {
  std::array<unsigned, 6> parts{};
  char rest = 0;
  if (std::sscanf(text.c_str(), "%2x:%2x:%2x:%2x:%2x:%2x%c", parts.data(), &parts[1], &parts[2],
                  &parts[3], &parts[4], &parts[5], &rest) != 6) {
    throw std::runtime_error("no MAC address: " + text);
  }
  Mac mac{};
  std::transform(parts.begin(), parts.end(), mac.begin(),
                 [](unsigned part) { return static_cast<std::uint8_t>(part); });
  return mac;
}

Mac mac_of_interface(int fd, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) fail("MAC address of " + interface);
  Mac mac{};
  std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
  return mac;
}

// The packets to one address, in their order.
struct Line {
  struct Held {
    std::int64_t due_ns;
    std::vector<std::uint8_t> frame;
  };
  in_addr to{};
  std::int64_t delay_ns = 0;
  std::deque<Held> held;
};

// ADDRESS=MS
Line line_of(const std::string& text) {
  Line line;
  const std::size_t middle = text.find('=');
  std::size_t used = 0;
  double ms = -1;
  try {
    ms = std::stod(text.substr(middle + 1), &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (middle == std::string::npos || used == 0 || middle + 1 + used != text.size() || ms < 0 ||
      ms > 10'000 || inet_pton(AF_INET, text.substr(0, middle).c_str(), &line.to) != 1) {
    throw std::runtime_error("no delay: " + text + ": ADDRESS=MS, 0 to 10000 ms");
  }
  line.delay_ns = static_cast<std::int64_t>(ms * 1e6);
  return line;
}

class DelayLine {
 public:
  explicit DelayLine(const DelayOptions& options)
      : tun_(options.tun), out_(options.interface, 0), ethernet_(kEthernetBytes) {
    out_.bind();
    for (const std::string& text : options.delays) lines_.push_back(line_of(text));
    const Mac to = mac_of(options.to_mac);
    const Mac from = mac_of_interface(out_.fd(), options.interface);
    std::copy(to.begin(), to.end(), ethernet_.begin());
    std::copy(from.begin(), from.end(), ethernet_.begin() + to.size());
    ethernet_[12] = 0x08;  // IPv4.
  }

  void run() {
    while (stopped == 0) {
      pollfd ready{tun_.fd(), POLLIN, 0};
      const timespec wait = until_due();
      if (ppoll(&ready, 1, &wait, nullptr) < 0 && errno != EINTR) fail("ppoll");
      while (take_one()) {
      }
      send_due();
    }
    fmt::print("{{\"passed\": {}, \"dropped\": {}, \"refused\": {}, \"latest_ns\": {}}}\n", passed_,
               dropped_, refused_, latest_ns_);
  }

 private:
  // Holds the packet that the kernel has for the TUN interface; false if there is none.
  bool take_one() {
    std::array<std::uint8_t, kMostFrameBytes> packet;
    const ssize_t bytes = read(tun_.fd(), packet.data(), packet.size());
    if (bytes < 0) {
      // EIO: the interface is down, as before it is set up.
      if (errno == EAGAIN || errno == EINTR || errno == EIO) return false;
      fail("read of the TUN interface");
    }
    const auto size = static_cast<std::size_t>(bytes);
    // Whatever else the kernel says on a new interface, as of IPv6, has no line.
    if (size < kIpv4HeaderBytes || packet[0] >> 4 != 4) return true;
    in_addr to{};
    std::memcpy(&to, packet.data() + kDestinationOffset, sizeof to);
    for (Line& line : lines_) {
      if (line.to.s_addr != to.s_addr) continue;
      if (line.held.size() == kMostHeld) {
        ++dropped_;
        return true;
      }
      std::vector<std::uint8_t> frame(kEthernetBytes + size);
      std::copy(ethernet_.begin(), ethernet_.end(), frame.begin());
      std::copy_n(packet.begin(), size, frame.begin() + kEthernetBytes);
      line.held.push_back({monotonic_ns() + line.delay_ns, std::move(frame)});
      return true;
    }
    ++dropped_;
    return true;
  }

  void send_due() {
    for (Line& line : lines_) {
      while (!line.held.empty()) {
        const std::int64_t late = monotonic_ns() - line.held.front().due_ns;
        if (late < 0) break;
        latest_ns_ = std::max(latest_ns_, late);
        const std::vector<std::uint8_t>& frame = line.held.front().frame;
        if (::send(out_.fd(), frame.data(), frame.size(), 0) < 0) {
          ++refused_;
        } else {
          ++passed_;
        }
        line.held.pop_front();
      }
    }
  }

  [[nodiscard]] timespec until_due() const {
    constexpr std::int64_t kLongest = 100'000'000;  // A signal may come just before the wait.
    std::int64_t wait = kLongest;
    const std::int64_t now = monotonic_ns();
    for (const Line& line : lines_) {
      if (!line.held.empty()) wait = std::min(wait, line.held.front().due_ns - now);
    }
    timespec result{};
    result.tv_nsec = static_cast<long>(std::max<std::int64_t>(wait, 0));
    return result;
  }

  Tun tun_;
  PacketSocket out_;
  std::vector<std::uint8_t> ethernet_;
  std::vector<Line> lines_;
  std::uint64_t passed_ = 0, dropped_ = 0, refused_ = 0;
  std::int64_t latest_ns_ = 0;
};

void stop(int /*signal*/) { stopped = 1; }

}  // namespace

void delay(const DelayOptions& options) {
  std::signal(SIGTERM, stop);
  std::signal(SIGINT, stop);
  DelayLine line(options);
  fmt::print("ready\n");
  std::fflush(stdout);
  line.run();
}

}  // namespace drip::bench
