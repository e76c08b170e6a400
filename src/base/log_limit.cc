// SPDX-License-Identifier: BSD-3-Clause
// Counts lines against the clock.
#include "base/log_limit.h"

#include <algorithm>

#include "fmt/chrono.h"

namespace drip {

std::string LogLimit::take_suppressed(Clock::time_point now) {
  using std::chrono::system_clock;
  const auto since =
      system_clock::now() - std::chrono::duration_cast<system_clock::duration>(now - *last_);
  std::string text = fmt::format("{} more since {:%H:%M:%S}", suppressed_,
                                 fmt::localtime(system_clock::to_time_t(since)));
  suppressed_ = 0;
  suppressed_level_ = LogLevel::kDebug;
  return text;
}

std::optional<LogLimit::Line> LogLimit::admit(LogLevel level, std::string_view text,
                                              Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (last_ && now < *last_ + kInterval) {
    ++suppressed_;
    suppressed_level_ = std::max(suppressed_level_, level);
    return std::nullopt;
  }
  Line line{level, fmt::format("{}: {}", source_, text)};
  if (suppressed_ > 0) line.text += fmt::format(" ({})", take_suppressed(now));
  last_ = now;
  return line;
}

std::optional<LogLimit::Line> LogLimit::overdue(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (suppressed_ == 0 || now < *last_ + kInterval) return std::nullopt;
  const LogLevel level = suppressed_level_;
  Line line{level, fmt::format("{}: {}", source_, take_suppressed(now))};
  last_ = now;
  return line;
}

}  // namespace drip
