// SPDX-License-Identifier: BSD-3-Clause
// Whether the kernel would pass on what dripd does not take, and what is refused, warned of and
// said when it is not as wanted.
#include "netdev/kernel_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_kernel.h"
#include "netdev/preparation.h"

namespace drip::netdev {
namespace {

using testing::HasSubstr;

class KernelPathTest : public testing::Test {
 protected:
  KernelPathTest() {
    eth().link.name = "eth1";
    eth().link.index = 3;
    eth().link.admin_up = true;
    eth().link.xdp_program = 12;
    eth().programs = {{"xsk_def_prog"}, true};
    Link& bridge = kernel.interfaces["br0"].link;
    bridge.name = "br0";
    bridge.index = 7;
    bridge.admin_up = true;
    bridge.kind = "bridge";
  }
  FakeKernel::Interface& eth() { return kernel.interfaces["eth1"]; }
  Link& bridge() { return kernel.interfaces["br0"].link; }
  absl::StatusOr<Preparation> prepare(OnFailure wanted, Access access = Access::kXdp) {
    return Preparation::apply(kernel, eth().link, access, 1, wanted);
  }
  std::string refusal(OnFailure wanted, Access access = Access::kXdp) {
    const auto result = prepare(wanted, access);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
    return std::string(result.status().message());
  }

  FakeKernel kernel;
};

TEST_F(KernelPathTest, ABridgeThatIsUpOrForwardingIsOne) {
  EXPECT_FALSE(find_kernel_path(kernel, eth().link));
  eth().link.master = 7;
  EXPECT_EQ(find_kernel_path(kernel, eth().link)->by, "bridge br0");
  EXPECT_EQ(find_kernel_path(kernel, eth().link)->ending, "ip link set dev eth1 nomaster");
  bridge().admin_up = false;
  EXPECT_FALSE(find_kernel_path(kernel, eth().link)) << "it is down";
  bridge().admin_up = true;
  bridge().kind = "bond";
  EXPECT_FALSE(find_kernel_path(kernel, eth().link)) << "it is no bridge";
  eth().link.master = 9;
  EXPECT_FALSE(find_kernel_path(kernel, eth().link)) << "it has just gone";
  eth().forwarding = {"a=0", "b=1"};
  EXPECT_EQ(find_kernel_path(kernel, eth().link)->by, "forwarding");
  EXPECT_EQ(find_kernel_path(kernel, eth().link)->ending, "sysctl -w a=0 b=1");
}

TEST_F(KernelPathTest, PassNeedsOneAndDropNeedsNone) {
  EXPECT_TRUE(prepare(OnFailure::kDrop).ok());
  EXPECT_THAT(refusal(OnFailure::kPass), HasSubstr("ip link set dev eth1 master BRIDGE"));
  eth().link.master = 7;
  EXPECT_TRUE(prepare(OnFailure::kPass).ok());
  EXPECT_TRUE(prepare(OnFailure::kPass)->warnings().empty());
  EXPECT_THAT(refusal(OnFailure::kDrop), HasSubstr("(bridge br0): ip link set dev eth1 nomaster"));
  eth().link.master = 0;
  eth().forwarding = {"a=0"};
  EXPECT_TRUE(prepare(OnFailure::kPass).ok());
  EXPECT_THAT(refusal(OnFailure::kDrop), HasSubstr("sysctl -w a=0"));
}

TEST_F(KernelPathTest, WithoutAChoiceOneIsAWarning) {
  EXPECT_TRUE(prepare(OnFailure::kUnset)->warnings().empty());
  eth().link.master = 7;
  const auto preparation = prepare(OnFailure::kUnset);
  ASSERT_TRUE(preparation.ok());
  ASSERT_EQ(preparation->warnings().size(), 1U);
  EXPECT_THAT(preparation->warnings()[0], HasSubstr("unshaped (bridge br0)"));
}

TEST_F(KernelPathTest, WhatBeginsAndEndsLaterIsSaid) {
  eth().link.master = 7;
  auto pass = prepare(OnFailure::kPass);
  ASSERT_TRUE(pass.ok());
  EXPECT_TRUE(pass->keep(kernel, eth().link).empty());
  bridge().admin_up = false;
  const auto lines = pass->keep(kernel, eth().link);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], HasSubstr("on_failure is pass"));
  EXPECT_TRUE(pass->keep(kernel, eth().link).empty()) << "once";
  EXPECT_EQ(pass->standing(), lines);
  bridge().admin_up = true;
  EXPECT_TRUE(pass->keep(kernel, eth().link).empty());
  EXPECT_TRUE(pass->standing().empty());

  bridge().admin_up = false;
  auto drop = prepare(OnFailure::kDrop);
  ASSERT_TRUE(drop.ok());
  bridge().admin_up = true;
  ASSERT_EQ(drop->keep(kernel, eth().link).size(), 1U);
  EXPECT_THAT(drop->standing()[0], HasSubstr("on_failure is drop"));
}

TEST_F(KernelPathTest, BesideAfPacketTheKernelPassesNothing) {
  EXPECT_TRUE(prepare(OnFailure::kDrop, Access::kPacket).ok());
  EXPECT_THAT(refusal(OnFailure::kPass, Access::kPacket), HasSubstr("use af_xdp"));
}

}  // namespace
}  // namespace drip::netdev
