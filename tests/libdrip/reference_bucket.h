// SPDX-License-Identifier: BSD-3-Clause
// A bucket that drives its schedule as the scheduler does, without a wheel, and the moments at
// which scenarios begin.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "drip/virtual_schedule.h"
#include "exact_queue.h"

namespace drip::test {

inline constexpr std::array<Departure, 2> kBothEnds = {Departure::kAtStart, Departure::kAtEnd};
inline constexpr Duration kForever{std::numeric_limits<std::int64_t>::max()};
// Where scenarios begin: an ordinary moment, and moments whose near future wraps around, for the
// signed view of time and for the unsigned one.
inline constexpr std::array<std::uint64_t, 4> kOrigins = {1'000'000'000, 0 - std::uint64_t{1},
                                                          0 - std::uint64_t{50'000'000},
                                                          (std::uint64_t{1} << 63) - 20'000'000};

struct Departed {
  TimePoint at;
  FineSpan service;
  std::uint32_t bytes = 0;
};

class ReferenceBucket {
 public:
  ReferenceBucket(ServicePeriods periods, Departure departure, Duration max_catchup, TimePoint now)
      : schedule_(now), periods_(periods), departure_(departure), max_catchup_(max_catchup) {}

  void offer(TimePoint arrival, std::uint32_t bytes) {
    waiting_.push_back({arrival, bytes});
    if (waiting_.size() == 1) begin();
  }
  /// Lets go all that is due.
  void poll(TimePoint now) {
    while (!waiting_.empty() && schedule_.due() <= now) {
      in_service_bytes_ = waiting_.front().bytes;
      const FineSpan service = periods_.service(in_service_bytes_);
      lost_ = lost_ + schedule_.depart(now, service, departure_, max_catchup_);
      departed_.push_back({now, service, in_service_bytes_});
      waiting_.pop_front();
      if (waiting_.empty()) return;
      begin();
    }
  }
  /// Takes the unit in place `at` back (0: the head), as the scheduler does at the END.
  void release(std::size_t at, TimePoint now) {
    const FineSpan service = periods_.service(waiting_[at].bytes);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
    if (at > 0) return;
    if (waiting_.empty()) {
      schedule_.give_up_head(now, service);
    } else {
      const Waiting& next = waiting_.front();
      schedule_.replace_head(now, next.arrival, service, periods_.service(next.bytes));
    }
  }
  void change(TimePoint now, ServicePeriods periods) {
    const bool head_served = !waiting_.empty() && departure_ == Departure::kAtEnd;
    const std::uint32_t bytes = head_served ? waiting_.front().bytes : in_service_bytes_;
    schedule_.rescale(now, periods_.service(bytes), periods.service(bytes));
    periods_ = periods;
  }
  /// A newcomer's wait until its service starts.
  [[nodiscard]] Duration wait(TimePoint now) const {
    const Duration head = std::max(schedule_.due() - now, Duration{0});
    if (waiting_.empty()) return head;
    std::uint64_t units = 0;
    std::uint64_t bytes = 0;
    for (const Waiting& unit : waiting_) {
      ++units;
      bytes += unit.bytes;
    }
    if (departure_ == Departure::kAtEnd) {
      --units;
      bytes -= waiting_.front().bytes;
    }
    return head + Duration{static_cast<std::int64_t>(periods_.backlog_service(units, bytes).ns)};
  }

  [[nodiscard]] const VirtualSchedule& schedule() const { return schedule_; }
  [[nodiscard]] TimePoint head_arrival() const { return waiting_.front().arrival; }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] Duration lost() const { return lost_; }
  /// How often a unit found the server free: never within a time of backlog.
  [[nodiscard]] std::size_t idle_starts() const { return idle_starts_; }
  [[nodiscard]] const std::vector<Departed>& departed() const { return departed_; }

 private:
  struct Waiting {
    TimePoint arrival;
    std::uint32_t bytes;
  };

  void begin() {
    const Waiting& head = waiting_.front();
    if (!schedule_.in_service(head.arrival)) ++idle_starts_;
    schedule_.begin(head.arrival, periods_.service(head.bytes), departure_);
  }

  VirtualSchedule schedule_;
  ServicePeriods periods_;
  Departure departure_;
  Duration max_catchup_;
  std::uint32_t in_service_bytes_ = 0;
  std::deque<Waiting> waiting_;
  std::vector<Departed> departed_;
  Duration lost_;
  std::size_t idle_starts_ = 0;
};

// In [s, t] at most R (t - s), one unit, and max_catchup: as service times, over all windows.
inline void expect_not_too_much(const std::vector<Departed>& departed, Duration max_catchup) {
  constexpr std::int64_t kRoundingNs = 1;
  for (std::size_t first = 0; first < departed.size(); ++first) {
    FineSpan served{};
    FineSpan longest{};
    for (std::size_t last = first; last < departed.size(); ++last) {
      const Departed& unit = departed[last];
      served = span_between(FinePoint{}, FinePoint{served.ns, served.fraction} + unit.service);
      longest = std::max(longest, unit.service);
      const Duration window = unit.at - departed[first].at;
      const long double allowed = static_cast<long double>(window.ns) + longest.as_ns() +
                                  static_cast<long double>(max_catchup.ns) + kRoundingNs;
      ASSERT_LE(served.as_ns(), allowed) << "departures " << first << " to " << last;
    }
  }
}

}  // namespace drip::test
