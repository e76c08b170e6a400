// SPDX-License-Identifier: BSD-3-Clause
// One line a second, and the number of the others.
#include "base/log_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "fmt/chrono.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using testing::MatchesRegex;

class LogLimitTest : public testing::Test {
 protected:
  // Empty if it is suppressed.
  std::string admit(milliseconds at, LogLevel level = LogLevel::kInfo) {
    const auto line = limit_.admit(level, "text", LogLimit::Clock::time_point(at));
    return line ? line->text : "";
  }
  std::string overdue(milliseconds at) {
    const auto line = limit_.overdue(LogLimit::Clock::time_point(at));
    return line ? line->text : "";
  }

  LogLimit limit_{"Source"};
};

TEST_F(LogLimitTest, ASingleLinePassesAtOnce) {
  EXPECT_EQ(admit(milliseconds(0)), "Source: text");
  EXPECT_EQ(overdue(milliseconds(5000)), "") << "nothing was suppressed";
  EXPECT_EQ(admit(milliseconds(5000)), "Source: text");
}

TEST_F(LogLimitTest, TheNextLineHasTheNumber) {
  EXPECT_EQ(admit(milliseconds(0)), "Source: text");
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(admit(milliseconds(i * 999 / 1000)), "");
  EXPECT_THAT(admit(milliseconds(1000)),
              MatchesRegex("Source: text \\(1000 more since [0-9:]{8}\\)"));
  EXPECT_EQ(admit(milliseconds(1999)), "");
  EXPECT_THAT(admit(milliseconds(2000)), MatchesRegex("Source: text \\(1 more since .*"));
}

TEST_F(LogLimitTest, ANumberIsLoggedWithoutANextLine) {
  EXPECT_EQ(admit(milliseconds(0)), "Source: text");
  EXPECT_EQ(admit(milliseconds(10)), "");
  EXPECT_EQ(overdue(milliseconds(999)), "");
  EXPECT_THAT(overdue(milliseconds(1000)), MatchesRegex("Source: 1 more since [0-9:]{8}"));
  EXPECT_EQ(admit(milliseconds(1999)), "") << "the number was a line, too";
  EXPECT_EQ(overdue(milliseconds(1999)), "");
  EXPECT_THAT(admit(milliseconds(2000)), MatchesRegex("Source: text \\(1 more since .*"));
}

TEST_F(LogLimitTest, ANumberHasTheHighestLevelOfWhatItCounts) {
  EXPECT_EQ(admit(milliseconds(0)), "Source: text");
  EXPECT_EQ(admit(milliseconds(1), LogLevel::kError), "");
  EXPECT_EQ(admit(milliseconds(2), LogLevel::kInfo), "");
  EXPECT_EQ(limit_.overdue(LogLimit::Clock::time_point(milliseconds(1000)))->level,
            LogLevel::kError);
  EXPECT_EQ(admit(milliseconds(1001)), "");
  EXPECT_EQ(limit_.overdue(LogLimit::Clock::time_point(milliseconds(2000)))->level,
            LogLevel::kInfo);
}

// The time of day is that of the line before.
TEST_F(LogLimitTest, SaysSinceWhen) {
  const auto now = LogLimit::Clock::now();
  EXPECT_TRUE(limit_.admit(LogLevel::kInfo, "text", now - std::chrono::hours(1)));
  EXPECT_FALSE(limit_.admit(LogLevel::kInfo, "text", now - std::chrono::hours(1)));
  const auto since = [](std::chrono::seconds ago) {
    const auto time = std::chrono::system_clock::now() - std::chrono::hours(1) - ago;
    return fmt::format("Source: 1 more since {:%H:%M:%S}", fmt::localtime(time));
  };
  const std::string text = limit_.overdue(now)->text;
  EXPECT_THAT(text, testing::AnyOf(since(std::chrono::seconds(0)), since(std::chrono::seconds(1))));
}

}  // namespace
}  // namespace drip
