// SPDX-License-Identifier: BSD-3-Clause
// Devices with the kernel on their other side: af_packet on a veth, and TAP.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/file_descriptor.h"
#include "frames.h"
#include "node.h"

namespace drip::vdev {
namespace {

constexpr std::uint16_t kExperimental = 0x88b5;

void command(const std::string& line) {
  ASSERT_EQ(std::system(line.c_str()), 0) << line;  // NOLINT(cert-env33-c)
}

/// A pair of interfaces that are up. The kernel does nothing of its own with what comes by them.
void add_veth(const std::string& one, const std::string& other) {
  command("ip link add " + one + " type veth peer name " + other);
  for (const std::string& name : {one, other}) {
    command("sysctl -qw net.ipv6.conf." + name + ".disable_ipv6=1");
    command("sysctl -qw net.ipv4.conf." + name + ".forwarding=0");
    command("ip link set " + name + " up");
  }
}

/// A raw socket on one interface.
class RawSocket {
 public:
  explicit RawSocket(const std::string& interface)
      : fd_(socket(AF_PACKET, SOCK_RAW, htons(kExperimental))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(kExperimental);
    address.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval patience{0, 200'000};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }

  bool send(const Frame& frame) const {
    return ::send(fd_.get(), frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
  }
  /// Frames that came in (not those that we sent) until `count` are there, or none for a while.
  [[nodiscard]] std::vector<Frame> receive(std::size_t count) const {
    std::vector<Frame> frames;
    int silent = 0;
    while (frames.size() < count && silent < 25) {
      Frame frame(2048);
      sockaddr_ll from{};
      socklen_t length = sizeof from;
      const ssize_t bytes = recvfrom(fd_.get(), frame.data(), frame.size(), 0,
                                     reinterpret_cast<sockaddr*>(&from), &length);
      if (bytes < 0) {
        ++silent;
      } else if (from.sll_pkttype != PACKET_OUTGOING) {
        frame.resize(static_cast<std::size_t>(bytes));
        frames.push_back(std::move(frame));
      }
    }
    return frames;
  }

 private:
  FileDescriptor fd_;
};

// Sends through a hairpin of `device` and expects everything back, as it was and in order.
void expect_round_trip(const std::string& device, const std::string& host_side,
                       const std::string& after_open) {
  constexpr std::uint32_t kFrames = 100;
  Node node({{"port", device, "port"}});
  ASSERT_TRUE(node.is_open()) << node.status();
  if (!after_open.empty()) command(after_open);
  BucketSettings settings;
  settings.bits_per_second = 10e6;
  settings.capacity = 2 * kFrames;
  settings.departure = Departure::kAtStart;
  const BucketRef bucket = node.add_bucket(settings);
  node.set_rules({{0, to_bucket(bucket)}}, {bucket});
  const RawSocket host(host_side);
  std::vector<Frame> sent;
  for (std::uint32_t i = 0; i < kFrames; ++i) {
    sent.push_back(numbered_frame(i, 60 + i * 11));
    ASSERT_TRUE(host.send(sent.back())) << i;
  }
  EXPECT_EQ(host.receive(kFrames), sent);
  node.stop_and_check_balance();
}

TEST(KernelDeviceTest, AfPacketOnAVethCarriesFramesBothWays) {
  DRIP_NEEDS_NET_ADMIN();
  add_veth("dripa", "dripb");
  expect_round_trip("net_af_packet0,iface=dripa", "dripb", "");
  command("ip link delete dripa");
}

TEST(KernelDeviceTest, TheMtuOfAKernelDeviceIsSetAndBounded) {
  DRIP_NEEDS_NET_ADMIN();
  add_veth("dripa", "dripb");
  {
    Node node({{"x", "net_af_packet0,iface=dripa", "x", 1400}});
    ASSERT_TRUE(node.is_open()) << node.status();
    EXPECT_EQ(node.engine().ports()[0].mtu, 1400U);
    command("ip -o link show dripa | grep -q 'mtu 1400 '");
    node.set_rules({}, {});
    node.stop_and_check_balance();
  }
  // Its driver takes no longer frames from the kernel than 1514 bytes.
  const Node jumbo({{"x", "net_af_packet0,iface=dripa", "x", 9000}}, {datapath::LcorePlan{}}, 9022);
  EXPECT_EQ(jumbo.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(jumbo.status().message().find("mtu: 9000 is not allowed: 68 to 1500 with"),
            std::string::npos)
      << jumbo.status();
  command("ip link delete dripa");
}

TEST(KernelDeviceTest, TapCarriesFramesBothWays) {
  DRIP_NEEDS_NET_ADMIN();
  if (access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "there is no /dev/net/tun";
  expect_round_trip("net_tap0,iface=driptap", "driptap",
                    "sysctl -qw net.ipv6.conf.driptap.disable_ipv6=1; ip link set driptap up");
}

TEST(KernelDeviceTest, SurvivesLinkDownAndUp) {
  DRIP_NEEDS_NET_ADMIN();
  add_veth("dripc", "dripd");
  {
    Node node({{"port", "net_af_packet1,iface=dripc", "port"}});
    ASSERT_TRUE(node.is_open()) << node.status();
    BucketSettings settings;
    settings.units_per_second = 100000;
    settings.capacity = 200;
    settings.departure = Departure::kAtStart;
    const BucketRef bucket = node.add_bucket(settings);
    node.set_rules({{0, to_bucket(bucket)}}, {bucket});
    const RawSocket host("dripd");
    ASSERT_TRUE(host.send(numbered_frame(1, 100)));
    EXPECT_EQ(host.receive(1).size(), 1U);
    command("ip link set dripd down");
    command("ip link set dripd up");
    // The socket has seen the interface go: a new one sees it come.
    const RawSocket again("dripd");
    bool back = false;
    for (int i = 0; i < 20 && !back; ++i) {
      (void)again.send(numbered_frame(2, 100));
      back = !again.receive(1).empty();
    }
    EXPECT_TRUE(back);
    node.stop_and_check_balance();
  }
  command("ip link delete dripc");
}

}  // namespace
}  // namespace drip::vdev
