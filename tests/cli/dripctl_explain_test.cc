// SPDX-License-Identifier: BSD-3-Clause
// `explain`: what it sends for a flow, digits and a capture, and what it shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "dripctl_fixture.h"
#include "support/temporary_directory.h"

namespace drip {
namespace {

using testing::HasSubstr;

class DripctlExplainTest : public DripctlTest {
 protected:
  static std::string hex(const std::string& bytes) {
    std::string digits;
    for (const char byte : bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      digits += kDigits[static_cast<unsigned char>(byte) >> 4];
      digits += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    return digits;
  }
  std::string sent() { return hex(asked<v1::ExplainRequest>().frame()); }
};

TEST_F(DripctlExplainTest, AFlowBecomesAFrame) {
  EXPECT_EQ(
      dripctl("explain 10.0.0.1:5000>10.0.0.2:80/tcp --vlan 5 --dscp 46 --size 100").exit_code, 0);
  const std::string frame = sent();
  EXPECT_EQ(frame.size(), 200U);
  EXPECT_EQ(frame.substr(24, 12), "810000050800");
  // Version, DSCP, the length of the packet, and what is behind it.
  EXPECT_EQ(frame.substr(36, 16), "45b8005200004000");
  EXPECT_EQ(frame.substr(52, 24), "400600000a0000010a000002");
  EXPECT_EQ(frame.substr(76, 8), "13880050");
}

TEST_F(DripctlExplainTest, AFlowOfIpv6AndOneWithoutPorts) {
  EXPECT_EQ(dripctl("explain [2001:db8::1]:53>[2001:db8::2]:53/udp").exit_code, 0);
  EXPECT_EQ(dripctl("explain 2001:db8::1>2001:db8::2/icmpv6").exit_code, 0);
  const auto requests = server_->asked<v1::ExplainRequest>();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(hex(requests[0].frame()).substr(24, 20), "86dd6000000000141140");
  EXPECT_EQ(hex(requests[0].frame()).substr(108, 8), "00350035");
  EXPECT_EQ(hex(requests[1].frame()).substr(24, 20), "86dd60000000000a3a40");
}

TEST_F(DripctlExplainTest, DigitsAreTheFrameAsItIs) {
  EXPECT_EQ(dripctl("explain 02:00:00:00:00:02.0200000000010806 --port lan").exit_code, 0);
  const auto request = asked<v1::ExplainRequest>();
  EXPECT_EQ(hex(request.frame()), "0200000000020200000000010806");
  EXPECT_EQ(request.ingress_port(), "lan");
}

TEST_F(DripctlExplainTest, ACaptureOfAnotherLinkIsRefusedByItsNameOrNumber) {
  const TemporaryDirectory scratch;
  const auto capture_of = [&](const std::string& type) {
    return scratch.write(
        "c.pcap", std::string("\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0", 20) + type);
  };
  EXPECT_THAT(dripctl("explain " + capture_of(std::string("\x71\0\0\0", 4))).err,
              HasSubstr("link type LINUX_SLL is not allowed: Ethernet"));
  EXPECT_THAT(dripctl("explain " + capture_of(std::string("\xa7\x61\0\0", 4))).err,
              HasSubstr("link type 24999 is not allowed: Ethernet"));
}

// As a file may say by mistake: what it has of the frame is no less than the frame.
TEST_F(DripctlExplainTest, AFrameIsNoShorterThanWhatWasCaptured) {
  const TemporaryDirectory scratch;
  std::string capture("\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0", 24);
  // 16 bytes of a frame of 4.
  capture += std::string("\0\0\0\0\0\0\0\0\x10\0\0\0\x04\0\0\0", 16);
  capture += std::string("\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x06\0\0", 16);
  EXPECT_EQ(dripctl("explain " + scratch.write("c.pcap", capture)).exit_code, 0);
  EXPECT_EQ(sent(), "02000000000202000000000108060000");
}

TEST_F(DripctlExplainTest, ACaptureIsExplainedFrameByFrame) {
  const TemporaryDirectory scratch;
  std::string capture("\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0", 24);
  for (const char last : {'\x06', '\x07'}) {
    // Of 20 bytes 16 were captured.
    capture += std::string("\0\0\0\0\0\0\0\0\x10\0\0\0\x14\0\0\0", 16);
    capture +=
        std::string("\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08", 13) + last + std::string(2, '\0');
  }
  v1::ExplainResponse reply;
  reply.set_flow("a>b");
  reply.set_rule_id("r");
  reply.set_bucket_id("web");
  server_->reply(reply);
  const std::string path = scratch.write("c.pcap", capture);
  const Outcome outcome = dripctl("explain " + path);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("    1     20  a>b   r     bucket web\n"));
  const auto requests = server_->asked<v1::ExplainRequest>();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(hex(requests[1].frame()), "02000000000202000000000108070000" + std::string(8, '0'));
  EXPECT_EQ(json("explain " + path + " --count 1")["frames"].size(), 1U);
}

TEST_F(DripctlExplainTest, ShowsRulesReasonsAndTheBucket) {
  v1::ExplainResponse reply;
  reply.set_flow("10.0.0.1:5000>10.0.0.2:80/tcp");
  reply.set_dscp(10);
  v1::RuleVerdict* rule = reply.add_rules();
  rule->set_rule_id("voip");
  rule->set_mismatch("dscp: 10 is not 46");
  reply.add_rules()->set_rule_id("web");
  reply.set_rule_id("web");
  reply.set_bucket_id("web");
  reply.add_ancestors("site");
  reply.add_ancestors("up");
  reply.set_wire_bytes(88);
  reply.set_queue_size(7);
  reply.set_estimated_wait_ns(3'000'000);
  reply.set_wait_is_estimate(true);
  server_->reply(reply);
  const std::string out = dripctl("explain 10.0.0.1:5000>10.0.0.2:80/tcp").out;
  for (const char* text :
       {"10.0.0.1:5000>10.0.0.2:80/tcp, dscp 10", "bucket web", "site, up", "88 bytes",
        "admitted; 7 wait there, it would wait about 3ms", "no: dscp: 10 is not 46", "yes"}) {
    EXPECT_THAT(out, HasSubstr(text));
  }
}

TEST_F(DripctlExplainTest, WhatIsNeitherIsRefusedAndNothingSent) {
  const auto error = [&](const std::string& arguments) {
    const Outcome outcome = dripctl("explain " + arguments);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.out;
    return outcome.err;
  };
  EXPECT_THAT(error("nonsense"), HasSubstr("a flow such as 10.0.0.1:5000>10.0.0.2:80/tcp"));
  EXPECT_THAT(error("10.0.0.1:1>2001:db8::1/tcp"), HasSubstr("a flow such as"));
  EXPECT_THAT(error("10.0.0.1>10.0.0.2/tcp"), HasSubstr("both ports with this protocol"));
  EXPECT_THAT(error("10.0.0.1:1>10.0.0.2:2/icmp"), HasSubstr("no ports with this protocol"));
  EXPECT_THAT(error("10.0.0.1>10.0.0.2/icmp --vlan 4096"), HasSubstr("from 0 to 4095"));
  EXPECT_THAT(error("10.0.0.1>10.0.0.2/icmp --dscp 64"), HasSubstr("from 0 to 63"));
  const TemporaryDirectory scratch;
  EXPECT_THAT(error(scratch.write("x", "no capture")), HasSubstr("unknown file format"));
  EXPECT_EQ(server_->calls(), 0U);
}

}  // namespace
}  // namespace drip
