// SPDX-License-Identifier: BSD-3-Clause
// Which addresses others can dial.
#include "daemon/advertise.h"

#include <gtest/gtest.h>

#include <string>

namespace drip::daemon {
namespace {

TEST(Advertise, TakesWhatOthersCanDial) {
  for (const char* const address :
       {"node-1:50051", "node-1.example.org:1", "node-1.example.org.:65535", "a_b:50051",
        "10.0.0.1:50051", "127.0.0.1:50051", "192.0.2.255:50051", "3com.example:80", "localhost:1",
        "[2001:db8::1]:50051", "[::1]:50051", "[::ffff:192.0.2.1]:50051"}) {
    EXPECT_TRUE(check_advertise(address).ok()) << address << ": " << check_advertise(address);
  }
}

TEST(Advertise, RefusesWildcardsInAnySpelling) {
  for (const char* const host : {"0.0.0.0", "0", "0x0", "00", "000.0.0.0", "0.0", "0.1.2.3", "*",
                                 "[::]", "[::0]", "[0:0:0:0:0:0:0:0]", "[0::0]", "[::0.0.0.0]",
                                 "[::ffff:0.0.0.0]", "255.255.255.255", "224.0.0.1", "[ff02::1]"}) {
    const std::string address = std::string(host) + ":50051";
    const absl::Status status = check_advertise(address);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << address;
    EXPECT_NE(status.message().find(address), std::string_view::npos) << status;
    EXPECT_NE(status.message().find("--advertise"), std::string_view::npos) << status;
  }
}

TEST(Advertise, RefusesWhatIsNoHostAndPort) {
  for (const char* const address : {"",
                                    ":",
                                    ":50051",
                                    "node-1",
                                    "node-1:",
                                    "node-1:0",
                                    "node-1:65536",
                                    "node-1:-1",
                                    "node-1:+1",
                                    "node-1: 1",
                                    "node-1:1x",
                                    "node-1:99999999999999999999",
                                    "unix:/run/drip",
                                    "unix:50051",
                                    "dns:50051",

                                    "[]:5",
                                    "[zz]:50051",
                                    "[::1]",
                                    "::1:50051",
                                    "2001:db8::1:50051",
                                    "[10.0.0.1]:50051",
                                    "[fe80::1%eth0]:50051",
                                    "10.0.0.1.2:50051",
                                    "10.0.0:50051",
                                    "0127.0.0.1:50051",
                                    "a b:50051",
                                    "-a:50051",
                                    "a-.b:50051",
                                    "a..b:50051",
                                    ".:50051",
                                    "dns:///node-1:50051"}) {
    EXPECT_FALSE(check_advertise(address).ok()) << address;
  }
  EXPECT_FALSE(check_advertise(std::string(64, 'a') + ":1").ok());
  EXPECT_TRUE(check_advertise(std::string(63, 'a') + ":1").ok());
}

TEST(Advertise, ByDefaultTheFirstAddressOfThoseToListenOnThatCanBeDialled) {
  EXPECT_EQ(advertised_by_default(
                {"unix:/run/drip", "0.0.0.0:1", "[::]:2", "0:3", "10.0.0.1:4", "node-1:5"}),
            "10.0.0.1:4");
  EXPECT_EQ(advertised_by_default({"0:50398", "[0::0]:50398", "127.0.0.1:0"}), "");
  EXPECT_EQ(advertised_by_default({}), "");
}

}  // namespace
}  // namespace drip::daemon
