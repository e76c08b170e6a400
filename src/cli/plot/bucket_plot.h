// SPDX-License-Identifier: BSD-3-Clause
// What `bucket watch --plot` draws: one bucket's rate against its ceiling, and what waits in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

#include "cli/screen/frame.h"

namespace drip::cli {

// Of one interval.
struct PlotSample {
  std::int64_t time_ms = 0;  // Since the Unix epoch; its end.
  double rate = 0;           // Of what departed, in bits or in units a second.
  double ceiling = 0;        // The most that it may be; 0: there is none.
  double lost_per_second = 0;
  std::uint64_t backlog = 0;
};

struct BucketPlot {
  static constexpr std::size_t kMostSamples = 1000;  // A screen has no more columns.

  std::string bucket_id;
  bool in_bits = true;         // `rate` and `ceiling`.
  std::uint64_t capacity = 0;  // In units.
  std::int64_t interval_ms = 1000;
  std::deque<PlotSample> samples;  // The oldest one first.
  std::string note;                // Beside the title: what is missing.

  void add(const PlotSample& sample) {
    samples.push_back(sample);
    if (samples.size() > kMostSamples) samples.pop_front();
  }
};

// `height` lines of up to `width` columns: a title, the rate of the last intervals as bars below a
// line for the ceiling, and the backlog. An interval is a column, the last one at the right.
Frame plot_frame(const BucketPlot& plot, std::size_t width, std::size_t height);
// The titles of plot_line(), and one line of plain ASCII for the last sample, for files and pipes.
std::string plot_titles();
std::string plot_line(const BucketPlot& plot);

}  // namespace drip::cli
