// SPDX-License-Identifier: BSD-3-Clause
// The kernel by rtnetlink, ethtool's ioctl and its files.
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/file_descriptor.h"
#include "fmt/format.h"
#include "netdev/ethtool.h"
#include "netdev/kernel.h"
#include "netdev/link_message.h"
#include "netdev/xdp.h"

namespace drip::netdev {
namespace {

constexpr std::size_t kDatagramBytes = 64 << 10;

FileDescriptor open_rtnetlink(std::uint32_t groups) {
  FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  if (fd && bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

/// A request: its header, the fixed part, and at most the attribute IFLA_IFNAME.
struct LinkRequest {
  nlmsghdr header{};
  ifinfomsg info{};
  rtattr attribute{};
  std::array<char, IFNAMSIZ> name{};
};
struct AddressRequest {
  nlmsghdr header{};
  ifaddrmsg info{};
};

// `path` below /proc/sys/net, with a place for the interface's name.
bool is_set(fmt::string_view path, const std::string& name) {
  std::ifstream file("/proc/sys/net/" + fmt::format(fmt::runtime(path), name));
  int value = 0;
  return file >> value && value != 0;
}

class LinuxKernel final : public Kernel {
 public:
  LinuxKernel(FileDescriptor requests, FileDescriptor events)
      : requests_(std::move(requests)), events_(std::move(events)) {}

  absl::StatusOr<Link> find(const std::string& name) override {
    const std::string quoted = fmt::format("'{}'", name);
    if (name.empty() || name.size() >= IFNAMSIZ) return not_found(quoted);
    LinkRequest request;
    request.attribute.rta_type = IFLA_IFNAME;
    request.attribute.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(name.size() + 1));
    name.copy(request.name.data(), name.size());
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg)) + RTA_SPACE(name.size() + 1);
    return find(request, quoted);
  }
  absl::StatusOr<Link> find(int index) override {
    LinkRequest request;
    request.info.ifi_index = index;
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
    return find(request, fmt::format("with index {}", index));
  }

  std::vector<std::string> addresses(int index) override {
    AddressRequest request;
    request.header = {sizeof request, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 0, 0};
    request.info.ifa_family = AF_UNSPEC;
    return exchange(&request, sizeof request, index).addresses;
  }
  // IPv6 is forwarded by all interfaces or none, whatever an interface's own `forwarding` says
  // (ip-sysctl.rst), but for `force_forwarding` of newer kernels.
  std::vector<std::string> forwarding(const std::string& name) override {
    std::vector<std::string> settings;
    if (is_set("ipv4/conf/{}/forwarding", name)) {
      settings.push_back(fmt::format("net.ipv4.conf.{}.forwarding=0", name));
    }
    if (!is_set("ipv6/conf/{}/disable_ipv6", name) &&
        (is_set("ipv6/conf/{}/forwarding", "all") ||
         is_set("ipv6/conf/{}/force_forwarding", name))) {
      settings.push_back(fmt::format("net.ipv6.conf.{}.disable_ipv6=1", name));
    }
    if (is_set("mpls/conf/{}/input", name)) {
      settings.push_back(fmt::format("net.mpls.conf.{}.input=0", name));
    }
    return settings;
  }
  std::uint64_t speed(const std::string& name) override {
    std::ifstream file(fmt::format("/sys/class/net/{}/speed", name));
    std::int64_t megabits = 0;
    return file >> megabits && megabits > 0 ? static_cast<std::uint64_t>(megabits) * 1'000'000 : 0;
  }

  std::optional<bool> offload(const std::string& name, Offload offload) override {
    return ethtool_.offload(name, offload);
  }
  absl::Status set_offload(const std::string& name, Offload offload, bool on) override {
    return ethtool_.set_offload(name, offload, on);
  }
  std::optional<Channels> channels(const std::string& name) override {
    return ethtool_.channels(name);
  }
  absl::Status set_channels(const std::string& name, const Channels& channels) override {
    return ethtool_.set_channels(name, channels);
  }
  absl::Status set_mtu(const std::string& name, std::uint32_t mtu) override {
    return ethtool_.set_mtu(name, mtu);
  }
  absl::Status set_promiscuous(const std::string& name, bool on) override {
    return ethtool_.set_promiscuous(name, on);
  }

  XdpPrograms xdp_programs(int index) override { return attached_xdp_programs(index); }
  absl::Status remove_xdp_program(int index) override { return detach_xdp_program(index); }
  absl::Status remove_xdp_sockets(int index) override { return netdev::remove_xdp_sockets(index); }
  bool xdp_queue_is_taken(int index) override { return netdev::xdp_queue_is_taken(index); }

  std::vector<LinkEvent> wait(Duration patience) override {
    std::vector<LinkEvent> events;
    pollfd ready{events_.get(), POLLIN, 0};
    const auto milliseconds = static_cast<int>(patience.ns / 1'000'000);
    for (int timeout = milliseconds; poll(&ready, 1, timeout) > 0; timeout = 0) {
      const ssize_t bytes = recv(events_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
      if (bytes <= 0) break;  // ENOBUFS: some were lost.
      for (LinkEvent& event : read_link_events(
               std::as_bytes(std::span(buffer_.data(), static_cast<std::size_t>(bytes))))) {
        events.push_back(std::move(event));
      }
    }
    return events;
  }

 private:
  static absl::Status not_found(const std::string& which) {
    return absl::NotFoundError(fmt::format("there is no network interface {}", which));
  }

  absl::StatusOr<Link> find(LinkRequest& request, const std::string& which) {
    request.header.nlmsg_type = RTM_GETLINK;
    request.header.nlmsg_flags = NLM_F_REQUEST;
    request.info.ifi_family = AF_UNSPEC;
    const LinkReply reply = exchange(&request, request.header.nlmsg_len, 0);
    if (reply.event) return reply.event->link;
    if (reply.error == 0 || reply.error == ENODEV) return not_found(which);
    return absl::ErrnoToStatus(reply.error, fmt::format("interface {}", which));
  }

  // Sends a request, reads until its last reply.
  LinkReply exchange(void* request, std::size_t bytes, int index) {
    LinkReply reply;
    reply.error = EIO;
    if (send(requests_.get(), request, bytes, 0) < 0) return reply;
    reply.error = 0;
    std::array<char, kDatagramBytes> buffer;
    while (!reply.done) {
      const ssize_t received = recv(requests_.get(), buffer.data(), buffer.size(), 0);
      if (received < 0 && errno == EINTR) continue;
      if (received <= 0) {
        reply.error = EIO;
        break;
      }
      read_reply(std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(received))), index,
                 reply);
    }
    return reply;
  }

  FileDescriptor requests_;
  FileDescriptor events_;
  Ethtool ethtool_;
  std::array<char, kDatagramBytes> buffer_{};
};

}  // namespace

absl::StatusOr<std::unique_ptr<Kernel>> open_kernel() {
  FileDescriptor requests = open_rtnetlink(0);
  FileDescriptor events = open_rtnetlink(RTMGRP_LINK);
  if (!requests || !events) {
    return absl::UnavailableError(fmt::format("rtnetlink: {}", std::strerror(errno)));
  }
  return std::make_unique<LinuxKernel>(std::move(requests), std::move(events));
}

}  // namespace drip::netdev
