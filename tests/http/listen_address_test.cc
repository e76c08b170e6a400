// SPDX-License-Identifier: BSD-3-Clause
// What --metrics and --web take.
#include "http/listen_address.h"

#include <gtest/gtest.h>

namespace drip::http {
namespace {

TEST(ListenAddress, IsLoopbackUnlessAnotherIsNamed) {
  EXPECT_EQ(parse_listen_address("f", "9464")->text(), "127.0.0.1:9464");
  EXPECT_TRUE(parse_listen_address("f", "9464")->is_loopback());
  EXPECT_TRUE(parse_listen_address("f", "127.8.8.8:1")->is_loopback());
  EXPECT_TRUE(parse_listen_address("f", "[::1]:9464")->is_loopback());
  EXPECT_EQ(parse_listen_address("f", "[::1]:9464")->text(), "[::1]:9464");
  EXPECT_FALSE(parse_listen_address("f", "0.0.0.0:9464")->is_loopback());
  EXPECT_FALSE(parse_listen_address("f", "[::]:9464")->is_loopback());
  for (const char* text : {"", ":9464", "*:9464", "localhost:9464", "::1:9464", "[127.0.0.1]:9464",
                           "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:x"}) {
    EXPECT_FALSE(parse_listen_address("f", text).ok()) << text;
  }
}

}  // namespace
}  // namespace drip::http
