// SPDX-License-Identifier: BSD-3-Clause
// The schedule when the polling thread stalls: not too much in any interval, and not too little.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "drip/virtual_schedule.h"
#include "reference_bucket.h"

namespace drip::test {
namespace {

struct Poll {
  TimePoint at;
  std::size_t departed = 0;  // So far.
  Duration lost;             // So far.
  bool backlogged = false;   // Afterwards.
  std::size_t idle_starts = 0;
};

struct StalledRun {
  std::vector<Departed> departed;
  std::vector<Poll> polls;
};

// Random arrivals and stalls about `origin`; the same for each origin if `draw` is.
StalledRun run_with_stalls(Draw draw, Rates rates, Departure departure, Duration max_catchup,
                           std::uint64_t origin_ns) {
  const ServicePeriods periods = rates.periods();
  const std::uint64_t mean_service_ns = ns_of(periods.service(1000));
  TimePoint now{origin_ns};
  ReferenceBucket bucket(periods, departure, max_catchup, now);
  StalledRun run;
  for (int i = 0; i < 250; ++i) {
    const std::uint64_t stall = draw.one_in(10) ? 12 * mean_service_ns : mean_service_ns / 2;
    now = now + Duration{static_cast<std::int64_t>(draw.between(1, stall + 1))};
    // A moment of overload, or of too little.
    const std::uint64_t arrivals = draw.one_in(8) ? draw.between(0, 12) : draw.between(0, 1);
    for (std::uint64_t k = 0; k < arrivals; ++k) {
      bucket.offer(now, static_cast<std::uint32_t>(draw.between(64, 1518)));
    }
    bucket.poll(now);
    run.polls.push_back(
        {now, bucket.departed().size(), bucket.lost(), !bucket.empty(), bucket.idle_starts()});
  }
  run.departed = bucket.departed();
  return run;
}

// In [s, t] with a backlog throughout at least R (t - s) less one unit, where s is a departure and
// t a poll, and but for what was lost. A unit that only the stall kept in the bucket is no
// backlog: by the schedule it had departed, and the server was free.
void expect_not_too_little(const StalledRun& run, FineSpan longest_service) {
  constexpr std::int64_t kRoundingNs = 2;
  for (std::size_t first = 1; first < run.polls.size(); ++first) {
    if (run.polls[first].departed == run.polls[first - 1].departed) continue;
    FineSpan served{};
    std::size_t counted = run.polls[first].departed;
    for (std::size_t last = first; last < run.polls.size() && run.polls[last].backlogged; ++last) {
      if (run.polls[last].idle_starts != run.polls[first].idle_starts) break;
      for (; counted < run.polls[last].departed; ++counted) {
        served = span_between(
            FinePoint{}, FinePoint{served.ns, served.fraction} + run.departed[counted].service);
      }
      const Duration window = run.polls[last].at - run.polls[first].at;
      const Duration lost = run.polls[last].lost - run.polls[first].lost;
      ASSERT_GE(served.as_ns() + longest_service.as_ns() + static_cast<long double>(lost.ns) +
                    kRoundingNs,
                static_cast<long double>(window.ns))
          << "polls " << first << " to " << last;
    }
  }
}

TEST(VirtualSchedule, BoundsWhatLeavesInEveryIntervalUnderStalls) {
  Draw draw(6);
  for (std::uint64_t scenario = 0; scenario < 400; ++scenario) {
    Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    const std::uint64_t service_ns = ns_of(periods.service(1000));
    const std::array<std::uint64_t, 4> bounds = {0, service_ns / 3, 5 * service_ns, 1ULL << 62};
    const Duration max_catchup{static_cast<std::int64_t>(bounds[scenario % bounds.size()])};
    for (const Departure departure : kBothEnds) {
      SCOPED_TRACE(::testing::Message()
                   << "scenario " << scenario << ": " << rates.units_per_second << "/s, "
                   << rates.bits_per_second << " bit/s, max_catchup " << max_catchup.ns << " ns");
      const Draw choices(1000 + scenario);
      const StalledRun run =
          run_with_stalls(choices, rates, departure, max_catchup, kOrigins.front());
      ASSERT_GT(run.departed.size(), 30U);
      ASSERT_NO_FATAL_FAILURE(expect_not_too_much(run.departed, max_catchup));
      ASSERT_NO_FATAL_FAILURE(expect_not_too_little(run, periods.service(1518)));
      for (const std::uint64_t origin_ns : kOrigins) {
        const StalledRun shifted =
            run_with_stalls(choices, rates, departure, max_catchup, origin_ns);
        ASSERT_EQ(shifted.departed.size(), run.departed.size());
        for (std::size_t i = 0; i < run.departed.size(); ++i) {
          ASSERT_EQ(shifted.departed[i].at.ns - origin_ns,
                    run.departed[i].at.ns - kOrigins.front());
        }
        ASSERT_EQ(shifted.polls.back().lost, run.polls.back().lost);
      }
    }
  }
}

TEST(VirtualSchedule, CatchesUpWhollyWithinItsBoundAndForfeitsTheRest) {
  const FineSpan service{1'000'000, 0};
  VirtualSchedule schedule(TimePoint{0});
  schedule.begin(TimePoint{0}, service, Departure::kAtEnd);
  // 3 ms late where 3 ms are allowed: the schedule goes on as if nothing had been.
  EXPECT_EQ(
      schedule.depart(TimePoint{4'000'000}, service, Departure::kAtEnd, Duration{3'000'000}).ns, 0);
  schedule.begin(TimePoint{0}, service, Departure::kAtEnd);
  EXPECT_EQ(schedule.due(), TimePoint{2'000'000});
  // 10 ms late: 7 are lost, and the schedule goes on 3 ms behind.
  EXPECT_EQ(
      schedule.depart(TimePoint{12'000'000}, service, Departure::kAtEnd, Duration{3'000'000}).ns,
      7'000'000);
  schedule.begin(TimePoint{0}, service, Departure::kAtEnd);
  EXPECT_EQ(schedule.due(), TimePoint{10'000'000});
}

}  // namespace
}  // namespace drip::test
