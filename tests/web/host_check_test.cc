// SPDX-License-Identifier: BSD-3-Clause
// Which Host headers name this machine.
#include "web/host_check.h"

#include <gtest/gtest.h>

namespace drip::web {
namespace {

TEST(HostCheck, TakesTheNamesOfTheLoopbackInterface) {
  for (const char* host : {"localhost", "localhost:8080", "LocalHost:1", "127.0.0.1",
                           "127.0.0.1:8080", "127.8.9.10:1", "[::1]", "[::1]:8080"}) {
    EXPECT_TRUE(names_loopback(host)) << host;
  }
}

TEST(HostCheck, TakesNothingElse) {
  for (const char* host : {"",
                           "evil.example",
                           "evil.example:8080",
                           "localhost.evil.example",
                           "127.0.0.1.evil.example",
                           "127.evil.example",
                           "127.1",
                           "127.0.0.1:",
                           "127.0.0.1:80x",
                           "127.0.0.1:80@evil",
                           "10.0.0.1",
                           "0.0.0.0:8080",
                           "::1",
                           "[::1",
                           "[::2]",
                           "[127.0.0.1]",
                           "[::1].evil.example",
                           "localhost.",
                           "localhost:8080:1",
                           " localhost",
                           "2130706433"}) {
    EXPECT_FALSE(names_loopback(host)) << host;
  }
}

}  // namespace
}  // namespace drip::web
