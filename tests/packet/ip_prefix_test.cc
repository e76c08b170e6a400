// SPDX-License-Identifier: BSD-3-Clause
// Networks from text and back.
#include "packet/ip_prefix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace drip {
namespace {

using ::testing::HasSubstr;

std::string canonical(std::string_view text) {
  const Parsed<IpPrefix> prefix = IpPrefix::parse(text);
  return prefix ? prefix->to_text() : "refused: " + prefix.error();
}

std::string error_of(std::string_view text) {
  const Parsed<IpPrefix> prefix = IpPrefix::parse(text);
  return prefix ? "accepted as " + prefix->to_text() : prefix.error();
}

TEST(IpPrefix, WritesWhatItRead) {
  EXPECT_EQ(canonical("192.0.2.0/24"), "192.0.2.0/24");
  EXPECT_EQ(canonical("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(canonical("10.1.2.3/32"), "10.1.2.3/32");
  EXPECT_EQ(canonical("2001:db8::/32"), "2001:db8::/32");
  EXPECT_EQ(canonical("::/0"), "::/0");
}

TEST(IpPrefix, AddressAloneIsTheWholeAddress) {
  EXPECT_EQ(canonical("10.1.2.3"), "10.1.2.3/32");
  EXPECT_EQ(canonical("2001:db8::1"), "2001:db8::1/128");
}

TEST(IpPrefix, WritesIpv6InItsShortestForm) {
  EXPECT_EQ(canonical("2001:0DB8:0:0:0000::00F0/124"), "2001:db8::f0/124");
  EXPECT_EQ(canonical("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1/128");
}

TEST(IpPrefix, HoldsFamilyLengthAndNetworkOrderBytes) {
  const IpPrefix prefix = *IpPrefix::parse("192.0.2.128/25");
  EXPECT_EQ(prefix.version(), IpVersion::kV4);
  EXPECT_EQ(prefix.length(), 25);
  EXPECT_EQ(prefix.address(), (IpAddress{192, 0, 2, 128}));
}

TEST(IpPrefix, SetHostBitsNameTheRightNetwork) {
  EXPECT_THAT(error_of("192.0.2.77/26"), HasSubstr("the network is 192.0.2.64/26"));
  EXPECT_THAT(error_of("192.0.2.1/0"), HasSubstr("the network is 0.0.0.0/0"));
  EXPECT_THAT(error_of("2001:db8::1/32"), HasSubstr("the network is 2001:db8::/32"));
  EXPECT_THAT(error_of("2001:db8::1/127"), HasSubstr("the network is 2001:db8::/127"));
}

TEST(IpPrefix, RefusesWhatIsNoNetworkAndSaysWhy) {
  EXPECT_THAT(error_of(""), HasSubstr("it is empty"));
  EXPECT_THAT(error_of("10.0.0"), HasSubstr("'10.0.0' is no address"));
  EXPECT_THAT(error_of("10.0.0.256/8"), HasSubstr("'10.0.0.256' is no address"));
  EXPECT_THAT(error_of("010.0.0.0/8"), HasSubstr("'010.0.0.0' is no address"));
  EXPECT_THAT(error_of("fe80::1%eth0"), HasSubstr("is no address"));
  EXPECT_THAT(error_of("example.org/8"), HasSubstr("is no address"));
  EXPECT_THAT(error_of("/8"), HasSubstr("is no address"));
  EXPECT_THAT(error_of("10.0.0.0/33"), HasSubstr("from 0 to 32"));
  EXPECT_THAT(error_of("2001:db8::/129"), HasSubstr("from 0 to 128"));
  for (const char* length : {"", "-1", "+8", "8 ", " 8", "8/8", "0x8", "99999999999999999999"}) {
    EXPECT_THAT(error_of(std::string("10.0.0.0/") + length), HasSubstr("from 0 to 32")) << length;
  }
  EXPECT_THAT(error_of(std::string_view("10.0.0.0\0/8", 11)), HasSubstr("NUL"));
}

TEST(IpPrefix, RandomNetworksComeBackEqual) {
  std::mt19937 random(1);
  for (int i = 0; i < 5000; ++i) {
    const bool v4 = random() % 2 == 0;
    IpAddress address{};
    for (std::size_t byte = 0; byte < (v4 ? 4 : 16); ++byte) {
      // Zeros in plenty, for the short form of IPv6.
      address[byte] = random() % 2 == 0 ? 0 : static_cast<std::uint8_t>(random());
    }
    const auto length = static_cast<std::uint8_t>(random() % (v4 ? 33 : 129));
    const IpPrefix prefix = IpPrefix::of(v4 ? IpVersion::kV4 : IpVersion::kV6, address, length);
    const Parsed<IpPrefix> again = IpPrefix::parse(prefix.to_text());
    ASSERT_TRUE(again) << again.error();
    ASSERT_EQ(*again, prefix) << prefix.to_text();
  }
}

}  // namespace
}  // namespace drip
