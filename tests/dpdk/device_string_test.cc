// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/device_string.h"

#include <gtest/gtest.h>

namespace drip::dpdk {
namespace {

TEST(DeviceStringTest, NameAndArgumentsAreToldApart) {
  EXPECT_EQ(device_name("net_af_xdp0,iface=eth1"), "net_af_xdp0");
  EXPECT_EQ(device_name("0000:03:00.0"), "0000:03:00.0");
  const char* const device = "net_af_xdp0,iface=eth1,queue_count=2,start_queue=";
  EXPECT_EQ(device_argument(device, "iface"), "eth1");
  EXPECT_EQ(device_argument(device, "queue_count"), "2");
  EXPECT_EQ(device_argument(device, "start_queue"), "");
  EXPECT_EQ(device_argument(device, "queue"), std::nullopt);
  EXPECT_EQ(device_argument("iface=eth1", "iface"), std::nullopt);
}

TEST(DeviceStringTest, KindsOfDevices) {
  EXPECT_TRUE(is_pci("0000:03:00.0"));
  EXPECT_TRUE(is_pci("03:00.0,arg=1"));
  EXPECT_FALSE(is_pci("net_pcap0,rx_pcap=a:b"));
  EXPECT_EQ(kernel_driver("net_af_xdp7,iface=a"), KernelDriver::kAfXdp);
  EXPECT_EQ(kernel_driver("net_af_packet7,iface=a"), KernelDriver::kAfPacket);
  EXPECT_EQ(kernel_driver("net_tap0,iface=a"), KernelDriver::kNone);
}

TEST(DeviceStringTest, AnInterfaceAloneIsAfXdp) {
  EXPECT_TRUE(is_interface("eth1"));
  EXPECT_TRUE(is_interface("lan.100"));
  EXPECT_FALSE(is_interface("0000:03:00.0"));
  EXPECT_FALSE(is_interface("net_null0"));
  EXPECT_FALSE(is_interface("eth_af_packet0,iface=a"));
  EXPECT_EQ(device_for_interface("eth1", 3, 1), "net_af_xdp3,iface=eth1");
  EXPECT_EQ(device_for_interface("eth1", 0, 2), "net_af_xdp0,iface=eth1,queue_count=2");
}

// Measured with frames of 2040 bytes: the default slot gives 1982 of them.
TEST(DeviceStringTest, RoomInASlotOfAfPacket) {
  EXPECT_EQ(af_packet_slot_bytes("net_af_packet0,iface=a"), 1982U);
  EXPECT_EQ(af_packet_slot_bytes("net_af_packet0,iface=a,framesz=4096"), 4030U);
  EXPECT_EQ(af_packet_slot_bytes("net_af_packet0,iface=a,framesz=16"), 0U);
}

}  // namespace
}  // namespace drip::dpdk
