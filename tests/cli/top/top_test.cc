// SPDX-License-Identifier: BSD-3-Clause
// What `top` draws and what its keys do, without a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cli/screen/text.h"
#include "cli/top/columns.h"
#include "cli/top/screenful.h"
#include "cli/top/top_frame.h"
#include "cli/top/top_view.h"

namespace drip::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using Kind = Key::Kind;
using Action = TopView::Action;

Key key(wchar_t character) { return {Kind::kCharacter, character}; }

class TopTest : public testing::Test {
 protected:
  TopTest() { use_utf8(); }

  v1::TopBucket& add(const std::string& id, double bps = 0, double ceiling = 0) {
    v1::TopBucket& bucket = *screen_.top.add_buckets();
    bucket.set_bucket_id(id);
    bucket.set_processed_bps(bps);
    bucket.set_processed_per_second(bps / 8000);
    bucket.set_ceiling_bps(ceiling);
    screen_.top.set_rows(static_cast<std::uint64_t>(screen_.top.buckets_size()));
    screen_.top.set_total_buckets(screen_.top.rows());
    return bucket;
  }
  std::vector<std::string> drawn(std::size_t width, std::size_t height) {
    std::vector<std::string> lines;
    for (const Line& line : top_frame(screen_, view_, width, height)) lines.push_back(line.text());
    return lines;
  }
  // The first line with this text; an empty one if there is none.
  static std::string line_with(const std::vector<std::string>& lines, const std::string& text) {
    for (const std::string& line : lines) {
      if (line.find(text) != std::string::npos) return line;
    }
    return "";
  }

  Screenful screen_;
  TopView view_;
};

// --- text --------------------------------------------------------------------------------------

TEST_F(TopTest, TextThatMovesTheCursorIsReplaced) {
  EXPECT_EQ(printable("cust-1"), "cust-1");
  EXPECT_EQ(printable("\x1b[2Jx"), "\uFFFD[2Jx");
  EXPECT_EQ(printable("a\r\n\tb\x7f"), "a\uFFFD\uFFFD\uFFFDb\uFFFD");
  EXPECT_EQ(printable("\xff\xc3"), "\uFFFD\uFFFD");
  EXPECT_EQ(printable("\u202Eevil\u200B\u009B"), "\uFFFDevil\uFFFD\uFFFD");
  EXPECT_EQ(printable("Łódź 東京"), "Łódź 東京");
  EXPECT_EQ(printable(std::string("a\0b", 3)), "a\uFFFDb");
}

TEST_F(TopTest, WidthsAreThoseOfTheScreen) {
  EXPECT_EQ(width_of("abc"), 3U);
  EXPECT_EQ(width_of("Łódź"), 4U);
  EXPECT_EQ(width_of("東京"), 4U);
  EXPECT_EQ(left_in("東京", 6), "東京  ");
  EXPECT_EQ(right_in("ab", 4), "  ab");
  EXPECT_EQ(left_in("abcdef", 4), "abc…");
  // Half of a wide character does not fit.
  EXPECT_EQ(left_in("東京都", 4), "東… ");
  EXPECT_EQ(right_in("東京都", 4), " 東…");
  EXPECT_EQ(left_in("abc", 0), "");
}

TEST_F(TopTest, BarsAreFilledInEighths) {
  EXPECT_EQ(bar(0, 4), "    ");
  EXPECT_EQ(bar(0.5, 4), "██  ");
  EXPECT_EQ(bar(0.53125, 4), "██▏ ");
  EXPECT_EQ(bar(7, 4), "████");
  EXPECT_EQ(bar(-1, 4), "    ");
}

// --- columns -----------------------------------------------------------------------------------

TEST_F(TopTest, NarrowScreensHaveTheColumnsThatMatterMost) {
  const auto titles = [](std::size_t width) {
    std::string text;
    std::size_t sum = 0;
    for (const TopColumn& column : top_columns_in(width)) {
      text.append(text.empty() ? "" : " ").append(column.title);
      sum += column.width + 1;
    }
    EXPECT_LE(sum - 1, std::max<std::size_t>(width, 25));
    return text;
  };
  EXPECT_EQ(titles(200), "BUCKET RATE USE CEILING UNITS BACKLOG P50 P99 LOST WAITS FOR");
  EXPECT_EQ(titles(100), "BUCKET RATE USE CEILING UNITS BACKLOG P99 LOST WAITS FOR");
  EXPECT_EQ(titles(80), "BUCKET RATE USE CEILING BACKLOG P99 LOST");
  EXPECT_EQ(titles(36), "BUCKET RATE BACKLOG");
  EXPECT_EQ(titles(1), "BUCKET RATE");
  EXPECT_EQ(top_columns_in(200).front().width, 200U - 9 - (10 + 11 + 10 + 9 + 8 + 8 + 8 + 9 + 12));
}

TEST_F(TopTest, CellsHaveValueAndUnit) {
  v1::TopBucket& bucket = add("b", 52'340'000, 100'000'000);
  bucket.set_backlog(17);
  bucket.set_sojourn_p99_ns(50'120'000);
  bucket.set_lost_per_second(3.5);
  bucket.set_waits_for(v1::TOP_WAIT_ANCESTOR);
  bucket.set_waits_for_id("up\x1b[m");
  const auto lines = drawn(132, 10);
  EXPECT_THAT(line_with(lines, "b  "),
              ContainsRegex("52.34mbit ███▏ .* 52%    100mbit +6.543k/s +17 +- +50.1ms +3.5/s "
                            "up\uFFFD\\[m"));
}

TEST_F(TopTest, ABucketOfRequestsHasARateOfUnits) {
  add("jobs").set_processed_per_second(12);
  EXPECT_THAT(line_with(drawn(132, 10), "jobs"), ContainsRegex("jobs +12/s"));
}

TEST_F(TopTest, EachReasonToWaitHasItsWord) {
  const std::pair<v1::TopWait, const char*> words[] = {
      {v1::TOP_WAIT_UNSPECIFIED, " -"},     {v1::TOP_WAIT_ITSELF, " itself"},
      {v1::TOP_WAIT_ANCESTOR, " ancestor"}, {v1::TOP_WAIT_SIBLINGS, " siblings"},
      {v1::TOP_WAIT_EGRESS, " egress"},     {v1::TOP_WAIT_LEASE, " lease"}};
  v1::TopBucket& bucket = add("b");
  for (const auto& [wait, word] : words) {
    bucket.set_waits_for(wait);
    EXPECT_THAT(line_with(drawn(132, 10), "b  "), ContainsRegex(std::string(word) + " *$"));
  }
}

TEST_F(TopTest, EachLineIsAsWideAsTheScreen) {
  for (const char* id : {"a", "a-very-long-id-of-a-bucket-that-does-not-fit-on-a-screen", "東京",
                         "\x1b]0;title\x07"}) {
    add(id, 1e9, 2e9).set_backlog(1'000'000'000);
  }
  for (std::size_t width = 25; width < 200; width += 7) {
    const Frame frame = top_frame(screen_, view_, width, 12);
    ASSERT_EQ(frame.size(), 12U);
    for (std::size_t y = 2; y < 7; ++y) {
      EXPECT_EQ(width_of(frame[y].text()), width) << frame[y].text();
      EXPECT_EQ(frame[y].text().find('\x1b'), std::string::npos);
    }
  }
}

TEST_F(TopTest, TreesHaveBranches) {
  //   up
  //   ├─ mid
  //   │  └─ leaf
  //   └─ last
  //      └─ below
  add("up").set_inner(true);
  v1::TopBucket& mid = add("mid");
  mid.set_depth(1);
  mid.set_continues(2);
  v1::TopBucket& leaf = add("leaf");
  leaf.set_depth(2);
  leaf.set_continues(2);
  add("last").set_depth(1);
  v1::TopBucket& below = add("below");
  below.set_depth(2);
  const auto lines = drawn(80, 10);
  EXPECT_THAT(line_with(lines, "below"), testing::StartsWith("   └─ below"));
  EXPECT_THAT(line_with(lines, "mid"), testing::StartsWith("├─ mid"));
  EXPECT_THAT(line_with(lines, "leaf"), testing::StartsWith("│  └─ leaf"));
  EXPECT_THAT(line_with(lines, "last"), testing::StartsWith("└─ last"));
  v1::TopBucket absurd;  // Of a server that is none.
  absurd.set_depth(4'000'000'000);
  EXPECT_LT(branch_of(absurd).size(), 200U);
}

TEST_F(TopTest, ColoursSayWhatIsFull) {
  const std::span<const TopColumn> columns = all_top_columns();
  const TopColumn& use = columns[2];
  const TopColumn& loss = columns[8];
  EXPECT_EQ(style_of(add("a", 50, 100), use), Style::kGood);
  EXPECT_EQ(style_of(add("b", 80, 100), use), Style::kBusy);
  EXPECT_EQ(style_of(add("c", 100, 100), use), Style::kBad);
  EXPECT_EQ(style_of(add("d"), use), Style::kDim);
  v1::TopBucket& lossy = add("e", 1, 100);
  EXPECT_EQ(style_of(lossy, loss), Style::kPlain);
  lossy.set_lost_per_second(1);
  EXPECT_EQ(style_of(lossy, loss), Style::kBad);
}

// --- header ------------------------------------------------------------------------------------

TEST_F(TopTest, TheHeaderHasNodePortsAndWarnings) {
  v1::GetNodeResponse& node = screen_.node.emplace();
  node.set_node_id("n1\x1b[31m");
  node.set_version("1.2");
  node.set_rules(3);
  node.add_warnings("no hugepages");
  node.add_warnings("another");
  screen_.top.set_time(3 * 3'600'000);
  PortMeter meter;
  v1::ListPortsResponse ports;
  for (const char* name : {"lan", "wan", "a", "b", "c"}) ports.add_ports()->set_name(name);
  v1::Port& lan = *ports.mutable_ports(0);
  lan.set_link_up(true);
  lan.set_link_state("up");
  lan.set_rx_bytes(1000);
  lan.set_tx_bytes(50);
  EXPECT_EQ(meter.update(ports, 0)[0].rx_bps, 0);
  lan.set_rx_bytes(251'000);
  lan.set_rx_packets(10);
  lan.set_rx_missed(4);
  lan.set_tx_bytes(3);  // Less than before: no rate can be told.
  ports.mutable_ports(1)->set_tx_bytes(500'000);
  ports.mutable_ports(1)->set_tx_packets(20);
  screen_.ports = meter.update(ports, 2'000'000'000);
  const auto lines = drawn(132, 20);
  EXPECT_THAT(lines[0], HasSubstr("drip n1\uFFFD[31m 1.2, up 3h 0min"));
  EXPECT_THAT(line_with(lines, "lan"),
              ContainsRegex("lan  up +rx +1mbit +5/s +tx +0bit +0/s +missed 2/s"));
  EXPECT_THAT(line_with(lines, "wan"), ContainsRegex("wan  down +rx .*tx +2mbit +10/s"));
  EXPECT_EQ(line_with(lines, "c    down"), "");
  EXPECT_NE(line_with(lines, "and 1 more: dripctl port list"), "");
  EXPECT_NE(line_with(lines, "warning: no hugepages (and 1 more: dripctl node)"), "");
}

TEST_F(TopTest, TheHeaderTellsTheAgeAndWhatIsNotMeasuredYet) {
  screen_.node.emplace();
  const std::pair<std::int64_t, const char*> ages[] = {
      {59'000, "up 0min"}, {61 * 60'000, "up 1h 1min"}, {(48 * 60 + 61) * 60'000, "up 2d 1h"}};
  for (const auto& [ms, text] : ages) {
    screen_.top.set_time(ms);
    EXPECT_THAT(drawn(132, 20)[0], HasSubstr(text));
  }
  EXPECT_THAT(drawn(132, 20)[1], HasSubstr("measuring ..."));
  screen_.top.set_measured_over_ns(1'000'000'000);
  EXPECT_THAT(drawn(132, 20)[1], testing::EndsWith("over 1s"));
}

TEST_F(TopTest, ALowScreenHasATableAllTheSame) {
  screen_.ports.resize(4);
  add("only");
  for (std::size_t height = 0; height < 8; ++height) EXPECT_EQ(drawn(80, height).size(), height);
  EXPECT_NE(line_with(drawn(80, 5), "only"), "");
  EXPECT_EQ(top_page(3, 24), 19U);
  EXPECT_EQ(top_page(3, 2), 1U);
}

TEST_F(TopTest, PlainTextHasNeitherBarsNorCutIds) {
  const std::string id(100, 'x');
  add(id, 50'000'000, 100'000'000);
  std::string all;
  for (const std::string& line : top_text(screen_, view_)) all += line + "\n";
  EXPECT_THAT(all, HasSubstr(id));
  EXPECT_THAT(all, HasSubstr("50.0%"));
  EXPECT_THAT(all, Not(HasSubstr("█")));
  EXPECT_THAT(all, Not(HasSubstr("quit")));
}

// --- keys --------------------------------------------------------------------------------------

TEST_F(TopTest, KeysChangeTheOrder) {
  EXPECT_EQ(view_.request(900).sort(), v1::TOP_SORT_RATE);
  EXPECT_EQ(view_.on_key(key(L's')), Action::kFetch);
  EXPECT_EQ(view_.sort, v1::TOP_SORT_USE);
  view_.on_key({Kind::kRight});
  EXPECT_EQ(view_.sort, v1::TOP_SORT_UNITS);  // CEILING is nothing to sort by.
  view_.on_key(key(L'<'));
  view_.on_key({Kind::kLeft});
  view_.on_key(key(L'<'));
  EXPECT_EQ(view_.sort, v1::TOP_SORT_ID);
  view_.on_key(key(L'<'));
  EXPECT_EQ(view_.sort, v1::TOP_SORT_LOSS);
  EXPECT_EQ(view_.on_key(key(L'r')), Action::kFetch);
  view_.offset = 5;
  EXPECT_EQ(view_.on_key(key(L't')), Action::kFetch);
  EXPECT_EQ(view_.offset, 0U);
  const v1::WatchTopRequest request = view_.request(900);
  EXPECT_TRUE(request.reverse());
  EXPECT_TRUE(request.tree());
  EXPECT_EQ(request.measure_after_ms(), 900U);
  EXPECT_THAT(line_with(drawn(132, 10), "BUCKET"), HasSubstr("LOST▲"));
  view_.sort = v1::TOP_SORT_ID;
  EXPECT_THAT(line_with(drawn(132, 10), "BUCKET"), HasSubstr("BUCKET▼"));
  view_.on_key(key(L'r'));
  EXPECT_THAT(line_with(drawn(132, 10), "BUCKET"), HasSubstr("BUCKET▲"));
}

TEST_F(TopTest, KeysScrollWithinTheRows) {
  view_.rows = 100;
  view_.page = 30;
  EXPECT_EQ(view_.on_key({Kind::kUp}), Action::kNothing);
  EXPECT_EQ(view_.on_key({Kind::kPageDown}), Action::kFetch);
  EXPECT_EQ(view_.request(1).offset(), 30U);
  EXPECT_EQ(view_.request(1).limit(), 30U);
  view_.on_key(key(L'G'));
  EXPECT_EQ(view_.offset, 70U);
  EXPECT_EQ(view_.on_key({Kind::kDown}), Action::kNothing);
  view_.on_key({Kind::kUp});
  EXPECT_EQ(view_.offset, 69U);
  EXPECT_FALSE(view_.keep_in_range());
  view_.rows = 40;
  EXPECT_TRUE(view_.keep_in_range());
  EXPECT_EQ(view_.offset, 10U);
  view_.on_key({Kind::kHome});
  EXPECT_EQ(view_.offset, 0U);
  view_.page = 5000;
  EXPECT_EQ(view_.request(1).limit(), 500U);
}

TEST_F(TopTest, AFilterIsTyped) {
  view_.offset = 9;
  EXPECT_EQ(view_.on_key(key(L'/')), Action::kRedraw);
  EXPECT_EQ(view_.on_key(key(L'q')), Action::kFetch);  // Does not quit now.
  view_.on_key(key(L'-'));
  EXPECT_EQ(view_.on_key(key(L'\u00e9')), Action::kNothing);
  EXPECT_EQ(view_.on_key(key(L'\x01')), Action::kNothing);
  EXPECT_EQ(view_.request(1).id_contains(), "q-");
  EXPECT_EQ(view_.offset, 0U);
  view_.on_key({Kind::kBackspace});
  EXPECT_EQ(view_.filter, "q");
  EXPECT_NE(line_with(drawn(80, 10), "ids that contain: q_"), "");
  EXPECT_EQ(view_.on_key({Kind::kEnter}), Action::kRedraw);
  EXPECT_EQ(view_.filter, "q");
  EXPECT_NE(line_with(drawn(80, 10), "No bucket has an id that contains this."), "");
  view_.on_key(key(L'/'));
  EXPECT_NE(line_with(drawn(80, 10), "ids that contain: q_"), "") << "it is what is typed on";
  view_.on_key({Kind::kEnter});
  EXPECT_EQ(view_.on_key({Kind::kEscape}), Action::kFetch);
  EXPECT_EQ(view_.filter, "");
  EXPECT_EQ(view_.on_key({Kind::kEscape}), Action::kNothing);
  for (int i = 0; i < 200; ++i) {
    if (!view_.typing) view_.on_key(key(L'/'));
    view_.on_key(key(L'x'));
  }
  EXPECT_EQ(view_.filter.size(), 128U);
}

TEST_F(TopTest, APausedScreenIsNotMeasuredAnew) {
  EXPECT_EQ(view_.on_key(key(L' ')), Action::kFetch);
  EXPECT_EQ(view_.request(900).measure_after_ms(), 3'600'000U);
  EXPECT_NE(line_with(drawn(80, 10), "paused"), "");
  view_.on_key(key(L'p'));
  EXPECT_EQ(view_.request(900).measure_after_ms(), 900U);
}

TEST_F(TopTest, HelpComesAndGoesAndQQuits) {
  EXPECT_EQ(view_.on_key(key(L'?')), Action::kRedraw);
  EXPECT_NE(line_with(drawn(100, 30), "reverse the order"), "");
  view_.on_key({Kind::kEscape});
  EXPECT_EQ(line_with(drawn(100, 30), "reverse the order"), "");
  EXPECT_EQ(view_.on_key(key(L'q')), Action::kQuit);
  EXPECT_EQ(view_.on_key(key(L'Z')), Action::kNothing);
}

}  // namespace
}  // namespace drip::cli
