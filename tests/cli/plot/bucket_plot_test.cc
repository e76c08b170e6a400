// SPDX-License-Identifier: BSD-3-Clause
// What `bucket watch --plot` draws, without a terminal.
#include "cli/plot/bucket_plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/screen/text.h"

namespace drip::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class PlotTest : public testing::Test {
 protected:
  PlotTest() {
    use_utf8();
    plot_.bucket_id = "web";
    plot_.capacity = 100;
  }
  void add(double rate, double ceiling, std::uint64_t backlog = 0, double lost = 0) {
    plot_.add({1'700'000'000'000, rate, ceiling, lost, backlog});
  }
  std::vector<std::string> drawn(std::size_t width, std::size_t height) {
    std::vector<std::string> lines;
    for (const Line& line : plot_frame(plot_, width, height)) lines.push_back(line.text());
    return lines;
  }
  // What is right of the axis in the rows of the rate, the top one first.
  std::vector<std::string> rate_rows(std::size_t width, std::size_t height) {
    std::vector<std::string> rows;
    for (const std::string& line : drawn(width, height)) {
      if (line.find("backlog  ") != std::string::npos) break;
      for (const std::string axis : {"│", "└"}) {
        const auto at = line.find(axis);
        if (at != std::string::npos) rows.push_back(line.substr(at + axis.size()));
      }
    }
    return rows;
  }

  BucketPlot plot_;
};

TEST_F(PlotTest, BarsAreAsHighAsTheRateIsOfTheCeiling) {
  for (const double rate : {0.0, 25e6, 50e6, 75e6, 100e6}) add(rate, 100e6);
  // Height 11: six rows of charts, of which four are the rate's; five columns of the rate at the
  // right of a chart of eight.
  EXPECT_EQ(rate_rows(12 + 8, 11),
            (std::vector<std::string>{"   ────█", "      ██", "     ███", "    ████"}));
}

TEST_F(PlotTest, ARateAboveItsCeilingMovesTheLineDown) {
  add(200e6, 100e6);
  add(50e6, 100e6);
  EXPECT_EQ(rate_rows(12 + 2, 11), (std::vector<std::string>{"█ ", "█ ", "█─", "██"}));
}

TEST_F(PlotTest, WhatIsLittleIsSeen) {
  add(1, 100e6, 1);
  add(0, 100e6, 0);
  const auto lines = drawn(12 + 2, 11);
  EXPECT_THAT(lines[5], HasSubstr("└▁ "));
  EXPECT_EQ(rate_rows(12 + 2, 11).back(), "▁ ");
}

TEST_F(PlotTest, TheTitleHasTheFiguresOfTheLastInterval) {
  add(10e6, 100e6);
  add(99.95e6, 100e6, 42, 7);
  const std::string title = drawn(120, 20).front();
  EXPECT_EQ(title, "web  99.95mbit of 100mbit (100.0 %)  backlog 42 of 100  lost 7/s");
}

TEST_F(PlotTest, WithoutASampleOrACeiling) {
  EXPECT_THAT(drawn(80, 20).front(), HasSubstr("measuring"));
  plot_.in_bits = false;
  add(500, 0);
  const auto lines = drawn(80, 20);
  EXPECT_THAT(lines.front(), HasSubstr("500/s of none  backlog"));
  for (const std::string& row : rate_rows(80, 20)) EXPECT_THAT(row, Not(HasSubstr("─")));
}

TEST_F(PlotTest, ItFitsIntoAnyScreen) {
  for (int i = 0; i < 300; ++i) add(i * 1e6, 300e6, static_cast<std::uint64_t>(i));
  plot_.bucket_id = std::string("\x1b[2J") + std::string(100, 'x');
  for (std::size_t width = 1; width < 140; width += 7) {
    for (std::size_t height = 1; height < 40; ++height) {
      const auto lines = drawn(width, height);
      EXPECT_LE(lines.size(), height);
      for (std::size_t i = 1; i < lines.size() && width > 40; ++i) {
        EXPECT_LE(width_of(lines[i]), width) << i;
      }
      EXPECT_THAT(lines.empty() ? "" : lines[0], Not(HasSubstr("\x1b")));
    }
  }
}

TEST_F(PlotTest, OldSamplesGo) {
  for (std::size_t i = 0; i < BucketPlot::kMostSamples + 10; ++i) add(static_cast<double>(i), 0);
  EXPECT_EQ(plot_.samples.size(), BucketPlot::kMostSamples);
  EXPECT_EQ(plot_.samples.front().rate, 10);
}

TEST_F(PlotTest, ALineOfTextIsPlain) {
  add(50e6, 100e6, 12, 3);
  const std::string line = plot_line(plot_);
  EXPECT_THAT(line, HasSubstr("    50mbit    100mbit  50.0% |####################          "
                              "          |        12       3/s"));
  EXPECT_EQ(line.size(), plot_titles().size());
  for (const char character : line) EXPECT_GE(character, ' ');
}

}  // namespace
}  // namespace drip::cli
