// SPDX-License-Identifier: BSD-3-Clause
// When to try again to open a port, and what was said of the last failure.
#pragma once

#include <chrono>
#include <string>
#include <utility>

namespace drip::dpdk {

class ReopenAttempts {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kInterval{5};

  [[nodiscard]] bool may_try(Clock::time_point now) const { return now >= next_; }
  /// True if `error` is another one than the last time, so that it is worth a line in the log.
  bool failed(Clock::time_point now, const std::string& error) {
    next_ = now + kInterval;
    return std::exchange(last_error_, error) != error;
  }
  void succeeded() { last_error_.clear(); }

 private:
  Clock::time_point next_;
  std::string last_error_;
};

}  // namespace drip::dpdk
