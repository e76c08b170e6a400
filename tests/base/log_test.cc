// SPDX-License-Identifier: BSD-3-Clause
// The log: lines, levels, and streams that lead there.
#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/log_stream.h"

namespace drip {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Lines = std::vector<std::pair<LogLevel, std::string>>;

// Takes the place of the sink for one test.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    lines().clear();
    set_log_sink([](LogLevel level, std::string_view line) { lines().emplace_back(level, line); });
  }
  static Lines& lines() {
    static Lines lines;
    return lines;
  }
};

TEST_F(LogTest, FormatsWithALevel) {
  log_info("node {} serves on {}", "n1", 7);
  log_warning("no hugepages");
  log_error("{}", "{}");
  EXPECT_THAT(lines(),
              ElementsAre(Pair(LogLevel::kInfo, "node n1 serves on 7"),
                          Pair(LogLevel::kWarning, "no hugepages"), Pair(LogLevel::kError, "{}")));
}

TEST_F(LogTest, EachLineOfATextIsALine) {
  write_log(LogLevel::kInfo, "\none\n\ntwo\nthree");
  EXPECT_THAT(lines(), ElementsAre(Pair(LogLevel::kInfo, "one"), Pair(LogLevel::kInfo, "two"),
                                   Pair(LogLevel::kInfo, "three")));
}

TEST_F(LogTest, ATextWithoutALineWritesNothing) {
  write_log(LogLevel::kError, "");
  write_log(LogLevel::kError, "\n\n");
  EXPECT_THAT(lines(), IsEmpty());
}

// Or a message could move a terminal's cursor and write over other lines.
TEST_F(LogTest, ControlCharactersAreReplaced) {
  using namespace std::string_literals;
  write_log(LogLevel::kInfo, "a\x1b[2Kb\rc\td\0e\x7f"s);
  write_log(LogLevel::kInfo, "Z\xc3\xbcrich");
  EXPECT_THAT(lines(), ElementsAre(Pair(LogLevel::kInfo, "a?[2Kb?c?d?e?"),
                                   Pair(LogLevel::kInfo, "Z\xc3\xbcrich")));
}

LogLevel the_level = LogLevel::kInfo;

TEST_F(LogTest, AStreamWritesLinesAtTheLevelOfTheirMoment) {
  std::FILE* const stream = open_log_stream([] { return the_level; });
  ASSERT_NE(stream, nullptr);
  the_level = LogLevel::kDebug;
  std::fprintf(stream, "EAL: %s %d\n", "cores", 2);
  the_level = LogLevel::kError;
  std::fputs("in ", stream);
  std::fputs("two parts\n", stream);
  std::fputs("without an end", stream);
  std::fclose(stream);
  EXPECT_THAT(lines(), ElementsAre(Pair(LogLevel::kDebug, "EAL: cores 2"),
                                   Pair(LogLevel::kError, "in two parts"),
                                   Pair(LogLevel::kError, "without an end")));
}

}  // namespace
}  // namespace drip
