// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/ethtool.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "fmt/format.h"

namespace drip::netdev {
namespace {

// How the kernel reads and writes one offload: a command of its own, or a bit of the flags.
struct OffloadCommands {
  std::uint32_t get, set;
  std::uint32_t flag;  // 0: the value is 0 or 1.
};
OffloadCommands commands_of(Offload offload) {
  switch (offload) {
    case Offload::kGro:
      return {ETHTOOL_GGRO, ETHTOOL_SGRO, 0};
    case Offload::kTso:
      return {ETHTOOL_GTSO, ETHTOOL_STSO, 0};
    case Offload::kLro:
      return {ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_LRO};
    case Offload::kRxVlan:
      return {ETHTOOL_GFLAGS, ETHTOOL_SFLAGS, ETH_FLAG_RXVLAN};
  }
  return {};
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

absl::Status error(const std::string& name, std::string_view what, int number) {
  return absl::ErrnoToStatus(number, fmt::format("interface {}: {}", name, what));
}

}  // namespace

Ethtool::Ethtool() : socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}

int Ethtool::request(const std::string& name, void* command) const {
  ifreq request = request_for(name);
  request.ifr_data = static_cast<char*>(command);
  return ioctl(socket_.get(), SIOCETHTOOL, &request) == 0 ? 0 : errno;
}

std::optional<bool> Ethtool::offload(const std::string& name, Offload offload) const {
  const OffloadCommands commands = commands_of(offload);
  ethtool_value value{commands.get, 0};
  if (request(name, &value) != 0) return std::nullopt;
  return commands.flag == 0 ? value.data != 0 : (value.data & commands.flag) != 0;
}

absl::Status Ethtool::set_offload(const std::string& name, Offload offload, bool on) const {
  const OffloadCommands commands = commands_of(offload);
  ethtool_value value{commands.get, 0};
  if (const int number = request(name, &value); number != 0) {
    return error(name, name_of(offload), number);
  }
  const std::uint32_t wanted =
      commands.flag == 0 ? static_cast<std::uint32_t>(on)
                         : (on ? value.data | commands.flag : value.data & ~commands.flag);
  if (wanted == value.data) return absl::OkStatus();
  value = {commands.set, wanted};
  if (const int number = request(name, &value); number != 0) {
    return error(name, fmt::format("{} {}", name_of(offload), on ? "on" : "off"), number);
  }
  return absl::OkStatus();
}

std::optional<Channels> Ethtool::channels(const std::string& name) const {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (request(name, &channels) != 0) return std::nullopt;
  return Channels{channels.combined_count, channels.rx_count, channels.tx_count};
}

absl::Status Ethtool::set_channels(const std::string& name, const Channels& channels) const {
  ethtool_channels wanted{};
  wanted.cmd = ETHTOOL_GCHANNELS;
  int number = request(name, &wanted);
  if (number == 0) {
    wanted.cmd = ETHTOOL_SCHANNELS;
    wanted.combined_count = channels.combined;
    wanted.rx_count = channels.rx;
    wanted.tx_count = channels.tx;
    number = request(name, &wanted);
  }
  return number == 0 ? absl::OkStatus() : error(name, "number of queues", number);
}

absl::Status Ethtool::set_mtu(const std::string& name, std::uint32_t mtu) const {
  ifreq request = request_for(name);
  request.ifr_mtu = static_cast<int>(mtu);
  if (ioctl(socket_.get(), SIOCSIFMTU, &request) == 0) return absl::OkStatus();
  return error(name, fmt::format("MTU {}", mtu), errno);
}

absl::Status Ethtool::set_promiscuous(const std::string& name, bool on) const {
  ifreq request = request_for(name);
  if (ioctl(socket_.get(), SIOCGIFFLAGS, &request) == 0) {
    const auto flag = static_cast<short>(IFF_PROMISC);
    request.ifr_flags =
        static_cast<short>(on ? request.ifr_flags | flag : request.ifr_flags & ~flag);
    if (ioctl(socket_.get(), SIOCSIFFLAGS, &request) == 0) return absl::OkStatus();
  }
  return error(name, "promiscuous mode", errno);
}

}  // namespace drip::netdev
