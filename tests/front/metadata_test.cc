// SPDX-License-Identifier: BSD-3-Clause
// Metadata that would end a process which sends it.
#include "front/proxy/metadata.h"

#include <gtest/gtest.h>

#include <string>

namespace drip::front {
namespace {

TEST(Metadata, WhatGrpcRefusesIsNotPassedOn) {
  EXPECT_TRUE(is_valid_metadata("authorization", "Bearer x y~"));
  EXPECT_TRUE(is_valid_metadata("a.b-c_1", ""));
  EXPECT_TRUE(is_valid_metadata("raw-bin", std::string("\0\n\xff", 3)));
  EXPECT_FALSE(is_valid_metadata("", "x"));
  EXPECT_FALSE(is_valid_metadata("Authorization", "x")) << "HTTP/2 has no capital letters";
  EXPECT_FALSE(is_valid_metadata("a b", "x"));
  EXPECT_FALSE(is_valid_metadata("a\n", "x"));
  EXPECT_FALSE(is_valid_metadata("key", "a\nb"));
  EXPECT_FALSE(is_valid_metadata("key", "\xc3\xa4"));
}

}  // namespace
}  // namespace drip::front
