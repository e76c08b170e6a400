// SPDX-License-Identifier: BSD-3-Clause
// What is set of an interface, what is put back, and what is refused with the line that cures it.
#include "netdev/preparation.h"

#include <gtest/gtest.h>

#include "fake_kernel.h"

namespace drip::netdev {
namespace {

class PreparationTest : public testing::Test {
 protected:
  PreparationTest() {
    FakeKernel::Interface& eth = kernel.interfaces["eth1"];
    eth.link.name = "eth1";
    eth.link.index = 3;
    eth.link.admin_up = true;
    eth.link.mtu = 1500;
    eth.offloads = {{Offload::kGro, true}, {Offload::kTso, true}, {Offload::kRxVlan, true}};
    eth.channels = Channels{4, 0, 0};
  }
  FakeKernel::Interface& eth() { return kernel.interfaces["eth1"]; }
  absl::StatusOr<Preparation> prepare(Access access = Access::kXdp, std::uint32_t queues = 1) {
    return Preparation::apply(kernel, eth().link, access, queues);
  }
  // What a refusal says; nothing may have been changed.
  std::string refusal(Access access) {
    const auto offloads = eth().offloads;
    const auto result = prepare(access);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(eth().offloads, offloads);
    EXPECT_EQ(eth().channels, (Channels{4, 0, 0}));
    return std::string(result.status().message());
  }

  FakeKernel kernel;
};

TEST_F(PreparationTest, OffloadsAndQueuesAreSetAndPutBack) {
  const auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  EXPECT_TRUE(preparation->warnings().empty());
  for (const auto& [offload, on] : eth().offloads) EXPECT_FALSE(on) << name_of(offload);
  EXPECT_EQ(eth().channels, (Channels{1, 0, 0}));
  eth().link.mtu = 9000;
  eth().link.promiscuous = true;
  preparation->restore(kernel);
  for (const auto& [offload, on] : eth().offloads) EXPECT_TRUE(on) << name_of(offload);
  EXPECT_EQ(eth().channels, (Channels{4, 0, 0}));
  EXPECT_EQ(eth().link.mtu, 1500U);
  EXPECT_FALSE(eth().link.promiscuous);
}

TEST_F(PreparationTest, WhatWasAsWantedBeforeIsNotTouchedAfterwards) {
  eth().offloads = {{Offload::kGro, false}};
  eth().channels = Channels{1, 0, 0};
  eth().link.promiscuous = true;
  const auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  // Somebody changes them meanwhile.
  eth().offloads[Offload::kGro] = true;
  eth().channels = Channels{2, 0, 0};
  preparation->restore(kernel);
  EXPECT_TRUE(eth().offloads[Offload::kGro]);
  EXPECT_EQ(eth().channels, (Channels{2, 0, 0}));
  EXPECT_TRUE(eth().link.promiscuous);
}

TEST_F(PreparationTest, AnotherInterfaceOfTheNameIsLeftAlone) {
  const auto preparation = prepare();
  eth().link.index = 9;
  preparation->restore(kernel);
  EXPECT_FALSE(eth().offloads[Offload::kGro]);
}

TEST_F(PreparationTest, SeparateReceiveQueuesAreReducedAsWell) {
  eth().link.kind = "veth";
  eth().channels = Channels{0, 2, 2};
  ASSERT_TRUE(prepare().ok());
  EXPECT_EQ(eth().channels, (Channels{0, 1, 2}));
  EXPECT_TRUE(eth().offloads[Offload::kRxVlan]);  // A virtual interface keeps tags in frames.
}

TEST_F(PreparationTest, AsManyQueuesAsThePortHasAreKept) {
  ASSERT_TRUE(prepare(Access::kXdp, 2).ok());
  EXPECT_EQ(eth().channels, (Channels{2, 0, 0}));
}

TEST_F(PreparationTest, WhatCannotBeSetIsAWarningWithTheLineThatCuresIt) {
  eth().fixed = {Offload::kGro};
  eth().channels_fixed = true;
  const auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  ASSERT_EQ(preparation->warnings().size(), 2U);
  EXPECT_NE(preparation->warnings()[0].find("ethtool -K eth1 gro off"), std::string::npos);
  EXPECT_NE(preparation->warnings()[1].find("ethtool -L eth1 combined 1"), std::string::npos);
}

TEST_F(PreparationTest, AProgramOfAnotherIsRefused) {
  eth().link.xdp_program = 12;
  eth().programs = {{"firewall"}, false};
  EXPECT_NE(refusal(Access::kXdp).find("(firewall) is attached to eth1"), std::string::npos);
  EXPECT_NE(refusal(Access::kXdp).find("ip link set dev eth1 xdp off"), std::string::npos);
  eth().programs = {{"xsk_def_prog", "filter"}, true};  // Libxdp's dispatcher with two.
  refusal(Access::kXdp);
  EXPECT_TRUE(prepare(Access::kPacket).ok());
}

TEST_F(PreparationTest, AProgramThatAKilledNodeLeftIsTakenOverUnlessSomebodyUsesIt) {
  eth().link.xdp_program = 12;
  eth().programs = {{"xsk_def_prog"}, true};
  EXPECT_TRUE(prepare().ok());
  EXPECT_EQ(eth().programs.names.size(), 1U);
  eth().programs.replaceable = false;  // Attached where there was no bpffs.
  EXPECT_TRUE(prepare().ok());
  EXPECT_TRUE(eth().programs.names.empty());
  eth().programs = {{"xsk_def_prog"}, false};
  eth().channels = Channels{4, 0, 0};
  for (auto& [offload, on] : eth().offloads) on = true;
  eth().queue_taken = true;
  EXPECT_NE(refusal(Access::kXdp).find("another program receives from eth1"), std::string::npos);
}

TEST_F(PreparationTest, AfPacketIsRefusedWhereTheKernelPassesTheSameFrames) {
  eth().addresses = {"fe80::1/64", "192.0.2.1/24"};
  EXPECT_NE(refusal(Access::kPacket).find("ip address flush dev eth1"), std::string::npos);
  eth().addresses = {"fe80::1/64"};
  eth().link.master = 7;
  EXPECT_NE(refusal(Access::kPacket).find("ip link set dev eth1 nomaster"), std::string::npos);
  eth().link.master = 0;
  eth().forwarding = {"net.ipv4.conf.eth1.forwarding=0", "net.ipv6.conf.eth1.disable_ipv6=1"};
  EXPECT_NE(
      refusal(Access::kPacket)
          .find("sysctl -w net.ipv4.conf.eth1.forwarding=0 net.ipv6.conf.eth1.disable_ipv6=1"),
      std::string::npos);
  EXPECT_TRUE(prepare(Access::kXdp).ok());
  eth().channels = Channels{4, 0, 0};
  eth().forwarding.clear();
  const auto preparation = prepare(Access::kPacket);
  ASSERT_TRUE(preparation.ok());
  EXPECT_TRUE(preparation->warnings().empty());
  EXPECT_EQ(eth().channels, (Channels{4, 0, 0}));  // It receives from all queues.
}

TEST_F(PreparationTest, WhatOthersChangeIsSetAgainAndPutBackAtTheEnd) {
  eth().offloads = {{Offload::kGro, false}, {Offload::kTso, false}};
  eth().channels = Channels{1, 0, 0};
  eth().link.xdp_program = 12;
  eth().programs = {{"xsk_def_prog"}, true};
  auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
  eth().offloads[Offload::kGro] = true;
  eth().channels = Channels{2, 0, 0};
  const auto lines = preparation->keep(kernel, eth().link);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("turned on gro at eth1"), std::string::npos);
  EXPECT_NE(lines[1].find("gave eth1 2 receive queues, and Drip receives from 1"),
            std::string::npos);
  EXPECT_FALSE(eth().offloads[Offload::kGro]);
  EXPECT_EQ(eth().channels, (Channels{1, 0, 0}));
  EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
  preparation->restore(kernel);  // To what they were given last.
  EXPECT_TRUE(eth().offloads[Offload::kGro]);
  EXPECT_FALSE(eth().offloads[Offload::kTso]);
  EXPECT_EQ(eth().channels, (Channels{2, 0, 0}));
}

TEST_F(PreparationTest, WhatCannotBeSetAgainIsSaidOnceEachTime) {
  auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  eth().link.xdp_program = 12;
  eth().fixed = {Offload::kGro};
  for (int i = 0; i < 2; ++i) {
    eth().offloads[Offload::kGro] = true;
    const auto lines = preparation->keep(kernel, eth().link);
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_NE(lines[0].find("gro stays on at eth1"), std::string::npos);
    EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
    eth().offloads[Offload::kGro] = false;
    EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
  }
}

TEST_F(PreparationTest, AProgramThatIsRemovedIsSaid) {
  auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  eth().link.xdp_program = 0;
  const auto lines = preparation->keep(kernel, eth().link);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("by which Drip receives from eth1 was removed"), std::string::npos);
}

TEST_F(PreparationTest, WhatTheKernelPassesBesideAfPacketIsSaidWhenItBegins) {
  auto preparation = prepare(Access::kPacket);
  ASSERT_TRUE(preparation.ok());
  EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
  eth().forwarding = {"net.ipv4.conf.eth1.forwarding=0"};
  const auto lines = preparation->keep(kernel, eth().link);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_NE(lines[0].find("sysctl -w net.ipv4.conf.eth1.forwarding=0"), std::string::npos);
  EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
  EXPECT_EQ(preparation->standing(), lines) << "though it is said once";
  eth().forwarding.clear();
  EXPECT_TRUE(preparation->keep(kernel, eth().link).empty());
  EXPECT_TRUE(preparation->standing().empty());
  eth().addresses = {"192.0.2.1/24"};
  EXPECT_EQ(preparation->keep(kernel, eth().link).size(), 1U);
}

TEST_F(PreparationTest, AnAddressBesideAfXdpIsAWarning) {
  eth().addresses = {"fe80::1/64", "192.0.2.1/24"};
  const auto preparation = prepare();
  ASSERT_TRUE(preparation.ok());
  ASSERT_EQ(preparation->warnings().size(), 1U);
  EXPECT_NE(preparation->warnings()[0].find("ip address del 192.0.2.1/24 dev eth1"),
            std::string::npos);
}

}  // namespace
}  // namespace drip::netdev
