// SPDX-License-Identifier: BSD-3-Clause
// Messages from their text form, for tests that read like what they send.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

namespace drip::control {

template <typename Message>
Message message(const std::string& text) {
  Message result;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &result)) << text;
  return result;
}

}  // namespace drip::control
