// SPDX-License-Identifier: BSD-3-Clause
#include "cli/plot/bucket_plot.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "base/quantity.h"
#include "cli/screen/text.h"

namespace drip::cli {
namespace {

constexpr std::size_t kLabel = 11;  // Columns left of a chart, the axis apart.
constexpr std::size_t kTextBar = 40;
// From this part of the ceiling on the rate is drawn as one that is held up.
constexpr double kAtCeiling = 0.95;

std::string rate_text(const BucketPlot& plot, double rate) {
  return plot.in_bits ? format_bit_rate(rate, 4) : format_unit_rate(rate, 4);
}
std::string ceiling_text(const BucketPlot& plot, double ceiling) {
  return ceiling > 0 ? rate_text(plot, ceiling) : "none";
}

double part_of(const PlotSample& sample) {
  return sample.ceiling > 0 ? sample.rate / sample.ceiling : 0;
}

// A cell of a bar: the part of it, in eighths, that is below `eighths`, counted from the bottom of
// the chart.
std::string_view block(std::size_t eighths, std::size_t rows_below) {
  static constexpr std::string_view kBlocks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t bottom = 8 * rows_below;
  return kBlocks[eighths <= bottom ? 0 : std::min<std::size_t>(eighths - bottom, 8)];
}

struct Bar {
  std::size_t eighths = 0;
  std::size_t mark = SIZE_MAX;  // The row, from the bottom, of a line across it.
  Style style = Style::kPlain;
};

std::size_t eighths_of(double value, double top, std::size_t rows) {
  if (top <= 0 || value <= 0) return 0;
  const double eighths = std::clamp(value / top, 0.0, 1.0) * 8 * static_cast<double>(rows);
  // Whatever there is can be seen.
  return std::max<std::size_t>(static_cast<std::size_t>(std::lround(eighths)), 1);
}

// `top`: what the highest line stands for.
void add_chart(Frame& frame, const std::vector<Bar>& bars, std::size_t rows, const std::string& top,
               const std::string& bottom) {
  for (std::size_t row = rows; row-- > 0;) {
    std::string label;
    if (row + 1 == rows) label = top;
    if (row == 0) label = bottom;
    Line line;
    line.add(right_in(label, kLabel), Style::kDim).add(row == 0 ? "└" : "│", Style::kDim);
    for (const Bar& bar : bars) {
      std::string_view cell = block(bar.eighths, row);
      const bool marked = bar.mark == row && cell == " ";
      line.add(std::string(marked ? "─" : cell), marked ? Style::kBad : bar.style);
    }
    frame.push_back(std::move(line));
  }
}

// The last ones, with what comes before the first one empty.
std::span<const PlotSample> shown(const std::vector<PlotSample>& all, std::size_t columns) {
  return std::span(all).last(std::min(all.size(), columns));
}

Line title_of(const BucketPlot& plot) {
  Line line;
  line.add(printable(plot.bucket_id), Style::kStrong);
  if (!plot.samples.empty()) {
    const PlotSample& last = plot.samples.back();
    line.add("  ").add(rate_text(plot, last.rate), Style::kStrong);
    line.add(" of ").add(ceiling_text(plot, last.ceiling));
    if (last.ceiling > 0) {
      line.add(fmt::format(" ({:.1f} %)", 100 * part_of(last)),
               part_of(last) >= kAtCeiling ? Style::kBusy : Style::kGood);
    }
    line.add("  backlog ")
        .add(fmt::format("{}", last.backlog), last.backlog > 0 ? Style::kBusy : Style::kPlain);
    if (plot.capacity > 0) line.add(fmt::format(" of {}", plot.capacity));
    line.add("  lost ").add(format_unit_rate(last.lost_per_second, 4),
                            last.lost_per_second > 0 ? Style::kBad : Style::kPlain);
  } else if (plot.note.empty()) {
    line.add("  measuring ...", Style::kDim);
  }
  if (!plot.note.empty()) line.add("  ").add(printable(plot.note), Style::kBad);
  return line;
}

// "30s ago" at the left, the time of the last interval at the right.
Line time_line(const BucketPlot& plot, std::span<const PlotSample> samples, std::size_t columns) {
  Line line;
  line.add(std::string(kLabel + 1, ' '));
  if (samples.empty()) return line;
  const auto ago = std::chrono::milliseconds(plot.interval_ms * static_cast<std::int64_t>(columns));
  const std::string left = format_duration(ago, 3) + " ago";
  const std::string right =
      fmt::format("{:%H:%M:%S}", fmt::localtime(samples.back().time_ms / 1000));
  if (columns < left.size() + right.size() + 2) return line.add(right, Style::kDim);
  return line.add(left_in(left, columns - right.size()), Style::kDim).add(right, Style::kDim);
}

}  // namespace

Frame plot_frame(const BucketPlot& plot, std::size_t width, std::size_t height) {
  Frame frame;
  frame.push_back(title_of(plot));
  // Title, two lines of what the charts are, time and keys.
  constexpr std::size_t kOthers = 5;
  if (height < kOthers + 2 || width < kLabel + 2) {
    frame.resize(std::min<std::size_t>(height, 1));
    return frame;
  }
  const std::size_t columns = width - kLabel - 1;
  const std::size_t rows = height - kOthers;
  const std::size_t backlog_rows = std::max<std::size_t>(rows / 3, 1);
  const std::size_t rate_rows = rows - backlog_rows;
  const std::vector<PlotSample> all(plot.samples.begin(), plot.samples.end());
  const std::span<const PlotSample> samples = shown(all, columns);

  double top = 0;
  std::uint64_t most = 0;
  for (const PlotSample& sample : samples) {
    top = std::max({top, sample.rate, sample.ceiling});
    most = std::max(most, sample.backlog);
  }
  std::vector<Bar> rates(columns - samples.size());
  std::vector<Bar> backlogs(columns - samples.size());
  for (const PlotSample& sample : samples) {
    Bar& rate = rates.emplace_back();
    rate.eighths = eighths_of(sample.rate, top, rate_rows);
    rate.style = part_of(sample) >= kAtCeiling ? Style::kBusy : Style::kGood;
    if (sample.ceiling > 0) rate.mark = (eighths_of(sample.ceiling, top, rate_rows) - 1) / 8;
    Bar& backlog = backlogs.emplace_back();
    backlog.eighths =
        eighths_of(static_cast<double>(sample.backlog), static_cast<double>(most), backlog_rows);
    backlog.style = sample.lost_per_second > 0 ? Style::kBad : Style::kName;
  }
  frame.push_back(Line()
                      .add(right_in("rate", kLabel))
                      .add("  ")
                      .add("─", Style::kBad)
                      .add(" ceiling; ")
                      .add("█", Style::kGood)
                      .add(" below, ")
                      .add("█", Style::kBusy)
                      .add(" at it"));
  add_chart(frame, rates, rate_rows, rate_text(plot, top), "0");
  frame.push_back(Line()
                      .add(right_in("backlog", kLabel))
                      .add("  ")
                      .add("█", Style::kName)
                      .add(" units wait, ")
                      .add("█", Style::kBad)
                      .add(" some are lost"));
  add_chart(frame, backlogs, backlog_rows, fmt::format("{}", most), backlog_rows > 1 ? "0" : "");
  frame.push_back(time_line(plot, samples, columns));
  frame.push_back(Line().add("q", Style::kKey).add(" quit"));
  return frame;
}

std::string plot_titles() {
  return fmt::format("{:<8} {:>10} {:>10} {:>6} {:<{}} {:>9} {:>9}", "TIME", "RATE", "CEILING",
                     "USE", "0 TO THE CEILING", kTextBar + 2, "BACKLOG", "LOST");
}

std::string plot_line(const BucketPlot& plot) {
  const PlotSample& last = plot.samples.back();
  const double part = part_of(last);
  const auto filled = static_cast<std::size_t>(
      std::lround(std::clamp(part, 0.0, 1.0) * static_cast<double>(kTextBar)));
  return fmt::format(
      "{:%H:%M:%S} {:>10} {:>10} {:>6} |{:<{}}| {:>9} {:>9}", fmt::localtime(last.time_ms / 1000),
      rate_text(plot, last.rate), ceiling_text(plot, last.ceiling),
      last.ceiling > 0 ? fmt::format("{:.1f}%", 100 * part) : "-", std::string(filled, '#'),
      kTextBar, last.backlog, format_unit_rate(last.lost_per_second, 4));
}

}  // namespace drip::cli
