// SPDX-License-Identifier: BSD-3-Clause
// Decides when a polling thread that finds nothing to do sleeps, and for how long.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "drip/time.h"

namespace drip::datapath {

/// A thread with ports polls for a while before it sleeps, and only if its plan allows sleep. A
/// thread without ports has nothing to poll: it sleeps at once, and callers do its work
/// meanwhile (Mailbox::Delegate). No call here reads a clock. Belongs to one polling thread; while
/// that sleeps, to the caller that holds the mailbox's lock.
class IdlePolicy {
 public:
  explicit IdlePolicy(bool portless) : portless_(portless) {}

  void loop_was_busy() { idle_loops_ = 0; }
  /// After a loop without work: whether to sleep now.
  [[nodiscard]] bool loop_was_idle() {
    if (++idle_loops_ < (portless_ ? 1 : kIdleLoopsBeforeSleep)) return false;
    idle_loops_ = 0;
    return true;
  }

  /// How long to sleep at most; not positive: poll on. `idle_until`: nothing departs before then;
  /// none if nothing waits.
  [[nodiscard]] Duration sleep_time(std::optional<TimePoint> idle_until, TimePoint now) {
    const Duration bound = idle_until ? until_due(*idle_until - now) : kLongestSleep;
    if (bound.ns > 0) wakes_at_ = now + bound;
    return bound;
  }

  /// A caller has done a job while the thread slept.
  void job_was_delegated() { ++delegated_jobs_; }
  /// After such a job: whether the thread would now sleep past the next departure.
  [[nodiscard]] bool sleeps_too_long(std::optional<TimePoint> idle_until, TimePoint now) const {
    return idle_until && std::max(*idle_until, now + shortest_sleep_) < wakes_at_;
  }

 private:
  static constexpr int kIdleLoopsBeforeSleep = 2000;
  static constexpr Duration kLongestSleep{100'000'000};
  // Waking takes time, so the thread wakes before the next departure and polls until it is due. If
  // departures are so frequent that this would use much of a CPU, a portless thread sleeps until
  // several are due.
  static constexpr Duration kWakeEarly{60'000};
  static constexpr Duration kFrequent{1'000'000};
  static constexpr Duration kShortestSleep{50'000};
  // Callers that do jobs serve departures as well. While they come this often, the thread needs to
  // wake only in case they stop.
  static constexpr std::uint32_t kManyDelegatedJobs = 4;
  static constexpr Duration kShortestSleepWithMany{1'000'000};

  Duration until_due(Duration left) {
    if (!portless_) return left - kWakeEarly;
    const bool polls_for_it = std::exchange(woke_early_, false) && left <= kWakeEarly;
    const bool many = std::exchange(delegated_jobs_, 0) >= kManyDelegatedJobs;
    shortest_sleep_ = many ? kShortestSleepWithMany : kShortestSleep;
    if (many || (left < kFrequent && !polls_for_it)) return std::max(left, shortest_sleep_);
    woke_early_ = true;
    return left - kWakeEarly;
  }

  bool portless_;
  int idle_loops_ = 0;
  bool woke_early_ = false;
  std::uint32_t delegated_jobs_ = 0;  // Since the thread fell asleep.
  Duration shortest_sleep_ = kShortestSleep;
  TimePoint wakes_at_;
};

}  // namespace drip::datapath
