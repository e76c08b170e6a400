// SPDX-License-Identifier: BSD-3-Clause
#include "cli/top/top_frame.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/quantity.h"
#include "cli/screen/text.h"
#include "cli/top/columns.h"

namespace drip::cli {
namespace {

constexpr std::size_t kMostPorts = 4;
constexpr std::size_t kTextWidth = 132;

std::string bits(double rate) { return format_bit_rate(rate, 4); }
std::string units(double rate) { return format_unit_rate(rate, 4); }

// Days and hours, hours and minutes, or minutes.
std::string age_text(std::int64_t ms) {
  const std::int64_t minutes = std::max<std::int64_t>(ms, 0) / 60'000;
  if (minutes >= 48 * 60) return fmt::format("{}d {}h", minutes / 1440, minutes / 60 % 24);
  if (minutes >= 60) return fmt::format("{}h {}min", minutes / 60, minutes % 60);
  return fmt::format("{}min", minutes);
}

Line node_line(const Screenful& screen) {
  const v1::WatchTopResponse& top = screen.top;
  Line line;
  line.add("drip", Style::kStrong);
  if (screen.node) {
    line.add(" ").add(printable(screen.node->node_id()), Style::kName);
    line.add(" ").add(printable(screen.node->version()));
    line.add(", up ").add(age_text(top.time() - screen.node->start_time()));
  }
  line.add(fmt::format(", {} buckets", top.total_buckets()));
  if (screen.node) {
    line.add(fmt::format(", {} rules, {} flows", screen.node->rules(), screen.node->flows()));
  }
  return line.add(fmt::format("  {:%H:%M:%S}", fmt::localtime(top.time() / 1000)), Style::kDim);
}

Line sums_line(const v1::WatchTopResponse& top) {
  Line line;
  line.add("all ").add(bits(top.processed_bps()), Style::kStrong);
  line.add("  ").add(units(top.processed_per_second()));
  line.add("  backlog ")
      .add(fmt::format("{}", top.backlog()), top.backlog() > 0 ? Style::kBusy : Style::kPlain);
  line.add("  lost ").add(units(top.lost_per_second()),
                          top.lost_per_second() > 0 ? Style::kBad : Style::kPlain);
  if (top.measured_over_ns() == 0) return line.add("  measuring ...", Style::kDim);
  return line.add("  over ", Style::kDim)
      .add(format_duration(std::chrono::nanoseconds(top.measured_over_ns()), 2), Style::kDim);
}

Line port_line(const PortNow& now, std::size_t name_width) {
  const v1::Port& port = now.port;
  Line line;
  line.add(left_in(printable(port.name()), name_width), Style::kName).add(" ");
  const bool up = port.link_up();
  line.add(
      left_in(port.link_state().empty() ? (up ? "up" : "down") : printable(port.link_state()), 5),
      up ? Style::kGood : Style::kBad);
  line.add(fmt::format("rx {} {}  tx {} {}", right_in(bits(now.rx_bps), 10),
                       right_in(units(now.rx_per_second), 9), right_in(bits(now.tx_bps), 10),
                       right_in(units(now.tx_per_second), 9)));
  if (now.missed_per_second > 0) {
    line.add("  missed ", Style::kBad).add(units(now.missed_per_second), Style::kBad);
  }
  return line;
}

Line titles(const std::vector<TopColumn>& columns, const TopView& view) {
  std::string text;
  for (const TopColumn& column : columns) {
    if (!text.empty()) text += " ";
    std::string title(column.title);
    if (column.sort == view.sort) {
      // By id the first is at the top, by all else the largest.
      const bool down = (view.sort == v1::TOP_SORT_ID) == view.reverse;
      title += down ? "▼" : "▲";
    }
    text += column.left ? left_in(title, column.width) : right_in(title, column.width);
  }
  return Line().add(std::move(text), Style::kTitle);
}

Line bucket_line(const v1::TopBucket& bucket, const std::vector<TopColumn>& columns) {
  Line line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) line.add(" ");
    line.add(cell_of(bucket, columns[i]), style_of(bucket, columns[i]));
  }
  return line;
}

using Keys = std::initializer_list<std::pair<const char*, const char*>>;

Line keys_line(const TopView& view) {
  Line line;
  if (view.typing) {
    return line.add("ids that contain: ", Style::kKey)
        .add(printable(view.typed))
        .add("_")
        .add("  Enter keeps it, Esc shows all", Style::kDim);
  }
  const Keys keys = {{"q", "quit"},
                     {"?", "help"},
                     {"/", "filter"},
                     {"s", "sort"},
                     {"r", "reverse"},
                     {"t", view.tree ? "flat" : "tree"},
                     {"Space", view.paused ? "go on" : "pause"}};
  for (const auto& [key, says] : keys) {
    line.add(key, Style::kKey).add(fmt::format(" {}  ", says));
  }
  if (view.rows > view.page) {
    line.add(fmt::format("{}-{} of {}", view.offset + 1,
                         std::min(view.offset + view.page, view.rows), view.rows),
             Style::kDim);
  }
  return line;
}

Frame help_lines() {
  const Keys keys = {{"s > Right, < Left", "sort by the next column, by the one before"},
                     {"r", "reverse the order"},
                     {"t", "trees, or leaves beside one another"},
                     {"/", "only ids that contain a text; Esc: all again"},
                     {"Space p", "pause and go on; one can scroll and sort meanwhile"},
                     {"Up k, Down j", "a line up or down"},
                     {"PgUp, PgDn, Home g, End G", "a page, the first and the last line"},
                     {"? h", "this help"},
                     {"q Ctrl-C", "quit"}};
  Frame lines;
  lines.emplace_back();
  for (const auto& [key, says] : keys) {
    lines.push_back(Line().add(left_in(key, 28), Style::kKey).add(says));
  }
  lines.emplace_back();
  for (const char* const text :
       {"RATE, UNITS and LOST are of the last interval, P50 and P99 the sojourn of what left.",
        "USE is the rate as a part of the ceiling: the bucket's own rate, or its share of it.",
        "An inner node has the backlog of all below it. RULE/FLOW is the bucket of a flow that",
        "a per-flow rule has made, as long as the flow lasts."}) {
    lines.push_back(Line().add(text));
  }
  return lines;
}

}  // namespace

Frame top_header(const Screenful& screen, const TopView& view) {
  Frame lines;
  lines.push_back(node_line(screen));
  lines.push_back(sums_line(screen.top));
  if (view.paused) lines.back().add("  paused", Style::kBusy);
  if (!view.filter.empty()) {
    lines.back().add("  filter ", Style::kDim).add(printable(view.filter), Style::kKey);
  }
  std::size_t name_width = 4;
  for (const PortNow& port : screen.ports) {
    name_width = std::clamp(width_of(printable(port.port.name())), name_width, std::size_t{16});
  }
  for (std::size_t i = 0; i < std::min(screen.ports.size(), kMostPorts); ++i) {
    lines.push_back(port_line(screen.ports[i], name_width));
  }
  if (screen.ports.size() > kMostPorts) {
    lines.push_back(
        Line().add(fmt::format("and {} more: dripctl port list", screen.ports.size() - kMostPorts),
                   Style::kDim));
  }
  if (screen.node && !screen.node->warnings().empty()) {
    const int count = screen.node->warnings_size();
    std::string text = printable(screen.node->warnings(0));
    if (count > 1) text += fmt::format(" (and {} more: dripctl node)", count - 1);
    lines.push_back(Line().add("warning: ", Style::kBusy).add(std::move(text), Style::kBusy));
  }
  return lines;
}

std::size_t top_page(std::size_t header, std::size_t height) {
  return height > header + 2 ? height - header - 2 : 1;
}

Frame top_frame(const Screenful& screen, const TopView& view, std::size_t width,
                std::size_t height) {
  Frame frame = top_header(screen, view);
  // On a low screen the table is worth more than the ports.
  if (frame.size() + 4 > height) frame.resize(std::min<std::size_t>(frame.size(), 1));
  if (view.help) {
    for (Line& line : help_lines()) frame.push_back(std::move(line));
  } else {
    const std::vector<TopColumn> columns = top_columns_in(width);
    frame.push_back(titles(columns, view));
    for (const v1::TopBucket& bucket : screen.top.buckets()) {
      if (frame.size() + 1 >= height) break;
      frame.push_back(bucket_line(bucket, columns));
    }
    if (screen.top.buckets().empty()) {
      frame.push_back(Line().add(
          view.filter.empty() ? "There are no buckets." : "No bucket has an id that contains this.",
          Style::kDim));
    }
  }
  frame.resize(height > 0 ? height - 1 : 0);
  if (height > 0) frame.push_back(keys_line(view));
  return frame;
}

std::vector<std::string> top_text(const Screenful& screen, const TopView& view) {
  std::vector<TopColumn> columns = top_columns_in(kTextWidth);
  // Without the bar, which only a screen has; long ids are not cut.
  for (TopColumn& column : columns) {
    if (column.sort == v1::TOP_SORT_USE) {
      column.text = [](const v1::TopBucket& bucket) {
        return fmt::format("{:.1f}%", 100 * use_of(bucket));
      };
      column.left = false;
      column.width = 8;
    }
  }
  columns.front().width = 14;
  for (const v1::TopBucket& bucket : screen.top.buckets()) {
    columns.front().width = std::max(columns.front().width, width_of(columns.front().text(bucket)));
  }
  std::vector<std::string> lines;
  for (const Line& line : top_header(screen, view)) lines.push_back(line.text());
  lines.push_back(titles(columns, view).text());
  for (const v1::TopBucket& bucket : screen.top.buckets()) {
    lines.push_back(bucket_line(bucket, columns).text());
  }
  for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  return lines;
}

}  // namespace drip::cli
