// SPDX-License-Identifier: BSD-3-Clause
// What --metrics and --metrics-buckets take.
#include <gtest/gtest.h>

#include "metrics/bucket_choice.h"
#include "metrics/http_endpoint.h"

namespace drip::metrics {
namespace {

TEST(BucketChoice, IsReadFromText) {
  EXPECT_EQ(parse_bucket_choice("f", "all")->kind, BucketChoice::Kind::kAll);
  EXPECT_EQ(parse_bucket_choice("f", "top:7")->count, 7U);
  EXPECT_EQ(parse_bucket_choice("f", "top:0")->count, 0U);
  EXPECT_EQ(parse_bucket_choice("f", "prefix:cust-")->prefix, "cust-");
  for (const char* text : {"", "top", "top:", "top:-1", "top:100001", "prefix:", "most"}) {
    const auto choice = parse_bucket_choice("metrics.buckets", text);
    ASSERT_FALSE(choice.ok()) << text;
    EXPECT_EQ(choice.status().message().find("metrics.buckets: \""), 0U) << choice.status();
  }
}

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
}  // namespace drip::metrics
