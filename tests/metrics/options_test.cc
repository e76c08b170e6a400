// SPDX-License-Identifier: BSD-3-Clause
// What --metrics-buckets takes.
#include <gtest/gtest.h>

#include "metrics/bucket_choice.h"

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

}  // namespace
}  // namespace drip::metrics
