// SPDX-License-Identifier: BSD-3-Clause
// The texts of errors: field, value, what is allowed.
#include "base/errors.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/as_typed.h"
#include "base/text.h"

namespace drip {
namespace {

TEST(Errors, NameFieldValueAndWhatIsAllowed) {
  const absl::Status range = check_range("buckets[3].capacity", std::uint64_t{0}, std::uint64_t{1},
                                         std::uint64_t{9}, " units");
  EXPECT_EQ(range.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(message_of(range), "buckets[3].capacity: 0 is not allowed: 1 to 9 units");
  EXPECT_EQ(
      message_of(check_range("x", std::int64_t{-65}, std::int64_t{-64}, std::int64_t{256}, "")),
      "x: -65 is not allowed: -64 to 256");
  EXPECT_TRUE(check_range("x", std::int64_t{-64}, std::int64_t{-64}, std::int64_t{256}, "").ok());
  EXPECT_EQ(message_of(missing("capacity", "1 to 9 units")), "capacity: missing: 1 to 9 units");
  const absl::Status absent = not_found("bucket_id", "bucket", "web");
  EXPECT_EQ(absent.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message_of(absent), "bucket_id: no bucket is named \"web\"");
  EXPECT_EQ(argument_error("x", "a, b"), "'x' is not allowed; allowed: a, b");
}

TEST(Errors, QuoteLongAndUnprintableText) {
  const std::string text(41, 'a');
  const std::string_view view(text);  // A std::string would find std::quoted().
  EXPECT_EQ(quoted(view.substr(1)), '"' + text.substr(1) + '"');
  EXPECT_EQ(quoted(view), '"' + text.substr(1) + "...\" (41 bytes)");
  EXPECT_EQ(quoted("a\n\"\xff"), R"("a\n\"\377")");
}

TEST(Errors, WhatWasTypedIsShownWholeAndInOneLine) {
  EXPECT_EQ(as_typed("10 mbit"), "'10 mbit'");
  EXPECT_EQ(as_typed("a\nb\x1b"), "'a\\nb\\033'");
  EXPECT_EQ(as_typed(std::string(100, 'x')), "'" + std::string(100, 'x') + "'");
  EXPECT_EQ(argument_error("\t", "1 or 2"), "'\\t' is not allowed; allowed: 1 or 2");
}

TEST(Errors, NamesAreOfLettersDigitsAndAFewSigns) {
  for (const char* const name : {"a", "0", "A-z.0_9:/@-"}) EXPECT_TRUE(check_name("f", name).ok());
  EXPECT_TRUE(check_name("f", std::string(128, 'a')).ok());
  for (const char* const name : {"", "-a", "a b", "\xc3\xa9"})
    EXPECT_FALSE(check_name("f", name).ok());
  EXPECT_FALSE(check_name("f", std::string(129, 'a')).ok());
}

TEST(Errors, RequestIdsArePrintableAscii) {
  EXPECT_TRUE(check_request_id("request_id", "").ok());
  EXPECT_TRUE(check_request_id("request_id", std::string(128, '~')).ok());
  EXPECT_EQ(message_of(check_request_id("request_id", "a\tb")),
            "request_id: \"a\\tb\" is not allowed: 0 to 128 printable ASCII characters");
  EXPECT_FALSE(check_request_id("request_id", "\x7f").ok());
  EXPECT_FALSE(check_request_id("request_id", "\xc3\xa9").ok());
  EXPECT_FALSE(check_request_id("request_id", std::string(129, 'a')).ok());
}

}  // namespace
}  // namespace drip
