// SPDX-License-Identifier: BSD-3-Clause
// Messages as the kernel writes them, and broken ones.
#include "netdev/link_message.h"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace drip::netdev {
namespace {

/// Writes one message.
class Message {
 public:
  template <class Info>
  Message(std::uint16_t type, const Info& info, std::uint16_t flags = 0) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    append(&header, sizeof header);
    append(&info, sizeof info);
  }
  Message& attribute(std::uint16_t type, std::string_view value) {
    const rtattr header{static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), type};
    append(&header, sizeof header);
    append(value.data(), value.size());
    return *this;
  }
  template <class T>
  Message& number(std::uint16_t type, T value) {
    return attribute(type, {reinterpret_cast<const char*>(&value), sizeof value});
  }
  [[nodiscard]] std::string text() const {
    std::string bytes = bytes_;
    const auto length = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes;
  }

 private:
  void append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
  }
  std::string bytes_;
};

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

ifinfomsg interface(int index, unsigned flags) {
  ifinfomsg info{};
  info.ifi_index = index;
  info.ifi_flags = flags;
  return info;
}

std::string nested(std::uint16_t type, std::string_view value) {
  const rtattr header{static_cast<std::uint16_t>(sizeof(rtattr) + value.size()), type};
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  return text.append(value);
}

TEST(LinkMessageTest, AnInterfaceIsReadWithItsSettingsAndCounters) {
  rtnl_link_stats64 stats{};
  stats.rx_packets = 1;
  stats.tx_packets = std::uint64_t{5} << 32;
  stats.rx_dropped = 3;
  stats.tx_dropped = 4;
  stats.rx_missed_errors = 6;
  const std::uint32_t program = 77;
  const std::string text =
      Message(RTM_NEWLINK, interface(9, IFF_UP | IFF_LOWER_UP | IFF_PROMISC))
          .attribute(IFLA_IFNAME, std::string_view("eth1\0", 5))
          .number(IFLA_MTU, std::uint32_t{9000})
          .number(IFLA_MASTER, std::uint32_t{4})
          .number(IFLA_STATS64, stats)
          .attribute(IFLA_LINKINFO | NLA_F_NESTED,
                     nested(IFLA_INFO_KIND, std::string_view("veth\0\0\0\0", 8)))
          .attribute(
              IFLA_XDP | NLA_F_NESTED,
              nested(IFLA_XDP_PROG_ID, {reinterpret_cast<const char*>(&program), sizeof program}))
          .text();
  const auto events = read_link_events(bytes(text));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_FALSE(events[0].gone);
  const Link& link = events[0].link;
  EXPECT_EQ(link.name, "eth1");
  EXPECT_EQ(link.index, 9);
  EXPECT_TRUE(link.up());
  EXPECT_TRUE(link.promiscuous);
  EXPECT_EQ(link.mtu, 9000U);
  EXPECT_EQ(link.master, 4);
  EXPECT_EQ(link.kind, "veth");
  EXPECT_EQ(link.xdp_program, 77U);
  EXPECT_EQ(link.counters.rx_packets, 1U);
  EXPECT_EQ(link.counters.tx_packets, std::uint64_t{5} << 32);
  EXPECT_EQ(link.counters.rx_dropped, 3U);
  EXPECT_EQ(link.counters.tx_dropped, 4U);
  EXPECT_EQ(link.counters.rx_missed, 6U);
}

TEST(LinkMessageTest, UpNeedsTheAdministratorAndTheCarrier) {
  const auto up = [](unsigned flags) {
    const std::string text = Message(RTM_NEWLINK, interface(1, flags)).text();
    return read_link_events(bytes(text)).at(0).link.up();
  };
  EXPECT_FALSE(up(0));
  EXPECT_FALSE(up(IFF_UP));
  EXPECT_FALSE(up(IFF_LOWER_UP));
  EXPECT_TRUE(up(IFF_UP | IFF_LOWER_UP));
}

TEST(LinkMessageTest, SeveralMessagesOfOneDatagramAreReadInOrder) {
  const std::string text = Message(RTM_NEWLINK, interface(1, 0)).text() +
                           Message(RTM_NEWROUTE, interface(2, 0)).text() +
                           Message(RTM_DELLINK, interface(3, 0)).text();
  const auto events = read_link_events(bytes(text));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].link.index, 1);
  EXPECT_EQ(events[1].link.index, 3);
  EXPECT_TRUE(events[1].gone);
}

TEST(LinkMessageTest, AnInterfaceThatLeavesABridgeIsNotGone) {
  ifinfomsg info = interface(3, IFF_UP | IFF_LOWER_UP);
  info.ifi_family = AF_BRIDGE;
  const std::string text = Message(RTM_DELLINK, info).text();
  EXPECT_TRUE(read_link_events(bytes(text)).empty());
}

TEST(LinkMessageTest, ACutMessageIsSkippedWhereverItIsCut) {
  const std::string text = Message(RTM_NEWLINK, interface(1, IFF_UP))
                               .attribute(IFLA_IFNAME, std::string_view("eth1\0", 5))
                               .number(IFLA_MTU, std::uint32_t{1500})
                               .text();
  for (std::size_t length = 0; length < text.size(); ++length) {
    EXPECT_TRUE(read_link_events(bytes(text).first(length)).empty()) << length;
  }
  std::string inner = text;
  inner[sizeof(nlmsghdr) + sizeof(ifinfomsg)] = '\xff';  // The first attribute's length.
  EXPECT_EQ(read_link_events(bytes(inner)).at(0).link.name, "");
}

TEST(LinkMessageTest, AddressesOfOneInterfaceAreListed) {
  const auto address = [](std::uint8_t family, std::uint32_t index, std::uint8_t prefix) {
    ifaddrmsg info{};
    info.ifa_family = family;
    info.ifa_index = index;
    info.ifa_prefixlen = prefix;
    return info;
  };
  LinkReply reply;
  const std::string text =
      Message(RTM_NEWADDR, address(AF_INET, 3, 24), NLM_F_MULTI)
          .attribute(IFA_ADDRESS, std::string_view("\xc0\x00\x02\x09", 4))
          .attribute(IFA_LOCAL, std::string_view("\xc0\x00\x02\x01", 4))
          .text() +
      Message(RTM_NEWADDR, address(AF_INET, 4, 24), NLM_F_MULTI)
          .attribute(IFA_LOCAL, "abcd")
          .text() +
      Message(RTM_NEWADDR, address(AF_INET6, 3, 64), NLM_F_MULTI)
          .attribute(IFA_ADDRESS,
                     std::string_view("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16))
          .text();
  read_reply(bytes(text), 3, reply);
  EXPECT_FALSE(reply.done);
  EXPECT_EQ(reply.addresses, (std::vector<std::string>{"192.0.2.1/24", "2001:db8::1/64"}));
  const std::string done = Message(NLMSG_DONE, std::int32_t{0}, NLM_F_MULTI).text();
  read_reply(bytes(done), 3, reply);
  EXPECT_TRUE(reply.done);
  EXPECT_EQ(reply.error, 0);
}

TEST(LinkMessageTest, AnErrorEndsAReply) {
  LinkReply reply;
  const std::string text = Message(NLMSG_ERROR, std::int32_t{-ENODEV}).text();
  read_reply(bytes(text), 0, reply);
  EXPECT_TRUE(reply.done);
  EXPECT_EQ(reply.error, ENODEV);
  EXPECT_FALSE(reply.event);
}

}  // namespace
}  // namespace drip::netdev
