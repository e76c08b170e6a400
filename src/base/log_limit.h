// SPDX-License-Identifier: BSD-3-Clause
// A bound on lines that others can cause.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"

namespace drip {

/// Passes one line in kInterval and counts the others. Any thread.
class LogLimit {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kInterval{1};

  struct Line {
    LogLevel level;
    std::string text;
  };

  /// `source` begins every line.
  explicit LogLimit(std::string source) : source_(std::move(source)) {}

  /// What to log now: `text`, and how many were suppressed before it; none if it is suppressed.
  [[nodiscard]] std::optional<Line> admit(LogLevel level, std::string_view text,
                                          Clock::time_point now);
  /// A line about those that are suppressed, if there are any and kInterval is over: so that a
  /// number is logged even if no further line comes. The level is the highest of theirs.
  [[nodiscard]] std::optional<Line> overdue(Clock::time_point now);

 private:
  // "57 more since 04:47:31", and begins to count anew.
  std::string take_suppressed(Clock::time_point now);

  const std::string source_;
  std::mutex mutex_;  // Guards what follows.
  std::optional<Clock::time_point> last_;
  std::uint64_t suppressed_ = 0;
  LogLevel suppressed_level_ = LogLevel::kDebug;
};

}  // namespace drip
