// SPDX-License-Identifier: BSD-3-Clause
#include "netdev/link_message.h"

#include <arpa/inet.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstdint>
#include <cstring>

namespace drip::netdev {
namespace {

template <class T>
std::optional<T> read_at(std::span<const std::byte> bytes, std::size_t offset = 0) {
  if (bytes.size() < offset + sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

constexpr std::size_t aligned(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

// Calls use(type, payload) for each message, as far as they are whole.
template <class Use>
void for_each_message(std::span<const std::byte> datagram, Use use) {
  while (const auto header = read_at<nlmsghdr>(datagram)) {
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) return;
    use(*header, datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr)));
    if (aligned(header->nlmsg_len) >= datagram.size()) return;
    datagram = datagram.subspan(aligned(header->nlmsg_len));
  }
}

template <class Use>
void for_each_attribute(std::span<const std::byte> bytes, Use use) {
  while (const auto header = read_at<rtattr>(bytes)) {
    if (header->rta_len < sizeof(rtattr) || header->rta_len > bytes.size()) return;
    use(header->rta_type & NLA_TYPE_MASK,
        bytes.subspan(sizeof(rtattr), header->rta_len - sizeof(rtattr)));
    if (aligned(header->rta_len) >= bytes.size()) return;
    bytes = bytes.subspan(aligned(header->rta_len));
  }
}

std::uint32_t number(std::span<const std::byte> value) {
  return read_at<std::uint32_t>(value).value_or(0);
}

std::string text(std::span<const std::byte> value) {
  const auto* const begin = reinterpret_cast<const char*>(value.data());
  return {begin, strnlen(begin, value.size())};
}

LinkCounters read_counters(std::span<const std::byte> value) {
  // Older kernels give fewer fields, newer ones more.
  rtnl_link_stats64 stats{};
  std::memcpy(&stats, value.data(), std::min(value.size(), sizeof stats));
  LinkCounters counters;
  counters.rx_packets = stats.rx_packets;
  counters.tx_packets = stats.tx_packets;
  counters.rx_bytes = stats.rx_bytes;
  counters.tx_bytes = stats.tx_bytes;
  counters.rx_errors = stats.rx_errors;
  counters.tx_errors = stats.tx_errors;
  counters.rx_dropped = stats.rx_dropped;
  counters.tx_dropped = stats.tx_dropped;
  counters.rx_missed = stats.rx_missed_errors;
  return counters;
}

std::optional<Link> read_link(std::span<const std::byte> payload) {
  const auto info = read_at<ifinfomsg>(payload);
  // A bridge tells of its ports with the family AF_BRIDGE, and of the end of their membership by
  // the same message as of an interface's end.
  if (!info || info->ifi_family != AF_UNSPEC) return std::nullopt;
  Link link;
  link.index = info->ifi_index;
  link.admin_up = (info->ifi_flags & IFF_UP) != 0;
  // The carrier itself; IFF_RUNNING follows it only when the kernel's link watch has run.
  link.carrier = (info->ifi_flags & IFF_LOWER_UP) != 0;
  link.promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
  for_each_attribute(payload.subspan(aligned(sizeof(ifinfomsg))), [&](int type, auto value) {
    switch (type) {
      case IFLA_IFNAME:
        link.name = text(value);
        break;
      case IFLA_MTU:
        link.mtu = number(value);
        break;
      case IFLA_MASTER:
        link.master = static_cast<int>(number(value));
        break;
      case IFLA_STATS64:
        link.counters = read_counters(value);
        break;
      case IFLA_LINKINFO:
        for_each_attribute(value, [&](int inner, auto inner_value) {
          if (inner == IFLA_INFO_KIND) link.kind = text(inner_value);
        });
        break;
      case IFLA_XDP:
        for_each_attribute(value, [&](int inner, auto inner_value) {
          if (inner == IFLA_XDP_PROG_ID || inner == IFLA_XDP_SKB_PROG_ID ||
              inner == IFLA_XDP_DRV_PROG_ID || inner == IFLA_XDP_HW_PROG_ID) {
            link.xdp_program = number(inner_value);
          }
        });
        break;
      default:
        break;
    }
  });
  return link;
}

std::optional<LinkEvent> read_event(const nlmsghdr& header, std::span<const std::byte> payload) {
  if (header.nlmsg_type != RTM_NEWLINK && header.nlmsg_type != RTM_DELLINK) return std::nullopt;
  auto link = read_link(payload);
  if (!link) return std::nullopt;
  return LinkEvent{*std::move(link), header.nlmsg_type == RTM_DELLINK};
}

// Of IPv4 the local address: on a point-to-point link IFA_ADDRESS is the peer's.
std::optional<std::string> read_address(std::span<const std::byte> payload, int index) {
  const auto info = read_at<ifaddrmsg>(payload);
  if (!info || static_cast<int>(info->ifa_index) != index) return std::nullopt;
  const bool is_ipv4 = info->ifa_family == AF_INET;
  if (!is_ipv4 && info->ifa_family != AF_INET6) return std::nullopt;
  std::optional<std::string> address;
  for_each_attribute(payload.subspan(aligned(sizeof(ifaddrmsg))), [&](int type, auto value) {
    if (type != (is_ipv4 ? IFA_LOCAL : IFA_ADDRESS)) return;
    if (value.size() < (is_ipv4 ? 4U : 16U)) return;
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (inet_ntop(info->ifa_family, value.data(), buffer.data(), buffer.size()) == nullptr) return;
    address = std::string(buffer.data()) + "/" + std::to_string(info->ifa_prefixlen);
  });
  return address;
}

}  // namespace

std::vector<LinkEvent> read_link_events(std::span<const std::byte> datagram) {
  std::vector<LinkEvent> events;
  for_each_message(datagram, [&](const nlmsghdr& header, auto payload) {
    if (auto event = read_event(header, payload)) events.push_back(*std::move(event));
  });
  return events;
}

void read_reply(std::span<const std::byte> datagram, int index, LinkReply& reply) {
  for_each_message(datagram, [&](const nlmsghdr& header, auto payload) {
    if (auto event = read_event(header, payload)) {
      reply.event = *std::move(event);
      reply.done |= (header.nlmsg_flags & NLM_F_MULTI) == 0;
    } else if (header.nlmsg_type == RTM_NEWADDR) {
      if (auto address = read_address(payload, index)) reply.addresses.push_back(*address);
    } else if (header.nlmsg_type == NLMSG_DONE) {
      reply.done = true;
    } else if (header.nlmsg_type == NLMSG_ERROR) {
      reply.error = -read_at<std::int32_t>(payload).value_or(-EPROTO);
      reply.done = true;
    }
  });
}

}  // namespace drip::netdev
