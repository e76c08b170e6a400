// SPDX-License-Identifier: BSD-3-Clause
// A packet socket on one interface, and the moment.
#include "packet_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <stdexcept>

namespace drip::bench {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(fmt::format("{}: {}", what, std::strerror(errno)));
}

std::int64_t ns_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

PacketSocket::PacketSocket(const std::string& interface, std::uint16_t protocol)
    : fd_(socket(AF_PACKET, SOCK_RAW, 0)),
      interface_(static_cast<int>(if_nametoindex(interface.c_str()))),
      protocol_(protocol) {
  if (fd_ < 0) fail("packet socket");
  if (interface_ == 0) {
    const int error = errno;
    close(fd_);
    errno = error;
    fail(fmt::format("interface {}", interface));
  }
}

PacketSocket::~PacketSocket() { close(fd_); }

void PacketSocket::bind() {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol_);
  address.sll_ifindex = interface_;
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("bind of a packet socket");
  }
}

void PacketSocket::set(int level, int option, const void* value, unsigned bytes, const char* what) {
  if (setsockopt(fd_, level, option, value, bytes) != 0) fail(what);
}

std::int64_t monotonic_ns() { return ns_of(CLOCK_MONOTONIC); }
std::int64_t realtime_ns() { return ns_of(CLOCK_REALTIME); }

void stay_on_cpu(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(static_cast<unsigned>(cpu), &mask);
  if (sched_setaffinity(0, sizeof mask, &mask) != 0) fail(fmt::format("CPU {}", cpu));
}

}  // namespace drip::bench
