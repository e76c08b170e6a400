// SPDX-License-Identifier: BSD-3-Clause
// When units leave and how long they wait, against an oracle in exact rational arithmetic.
#include "drip/virtual_schedule.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "reference_bucket.h"

namespace drip::test {
namespace {

// |point - exact| against the time for which the server has been busy: the schedule may be off by
// the rounding of its periods, 1 part in 2^57, and by nothing else.
void expect_close(FinePoint point, std::uint64_t origin_ns, const WideUint& exact,
                  const ExactQueue& oracle) {
  const WideUint got = wide({point.ns - origin_ns, point.fraction}) * oracle.denominator();
  const WideUint want = exact * WideUint::power_of_two(64);
  const WideUint error = got < want ? want - got : got - want;
  ASSERT_LE(error * WideUint::power_of_two(57), oracle.busy() * WideUint::power_of_two(64))
      << "off by " << error.approximately() / oracle.denominator().approximately() * 0x1p-64L
      << " ns";
}

TEST(VirtualSchedule, DepartsWhenTheExactQueueDoes) {
  Draw draw(3);
  for (int scenario = 0; scenario < 5000; ++scenario) {
    const Rates rates = draw_rates(draw);
    const Departure departure = kBothEnds[draw.between(0, 1)];
    const std::uint64_t origin_ns = kOrigins[draw.between(0, kOrigins.size() - 1)];
    SCOPED_TRACE(::testing::Message()
                 << "scenario " << scenario << ": " << rates.units_per_second << "/s, "
                 << rates.bits_per_second << " bit/s, origin " << origin_ns);
    ExactQueue oracle(rates, departure);
    const ServicePeriods periods = rates.periods();
    VirtualSchedule schedule(TimePoint{origin_ns});
    std::uint64_t arrival_ns = 0;
    const std::uint64_t mean_gap_ns = ns_of(periods.service(1000)) * draw.between(1, 4);
    for (int i = 0; i < 100; ++i) {
      // Bursts, gaps around the service time, and pauses.
      if (!draw.one_in(3)) arrival_ns += draw.between(0, mean_gap_ns);
      if (draw.one_in(30)) arrival_ns += mean_gap_ns * 20;
      const std::uint32_t bytes = draw_bytes(draw);
      const FineSpan service = periods.service(bytes);
      schedule.begin(TimePoint{origin_ns + arrival_ns}, service, departure);
      const WideUint exact = oracle.arrive(arrival_ns, bytes);
      ASSERT_NO_FATAL_FAILURE(expect_close(schedule.departure_time(), origin_ns, exact, oracle));
      ASSERT_EQ(schedule.depart(schedule.due(), service, departure, Duration{0}).ns, 0);
    }
  }
}

TEST(VirtualSchedule, KeepsTheRateToOnePartInTenToTheNine) {
  // A poll at each due time, which is rounded up to whole nanoseconds: the remainder must carry.
  const auto error = [](Rates rates, std::uint32_t bytes, std::uint64_t units) {
    const ServicePeriods periods = rates.periods();
    const FineSpan service = periods.service(bytes);
    const TimePoint begin{0 - std::uint64_t{1'000'000}};
    VirtualSchedule schedule(begin);
    for (std::uint64_t i = 0; i < units; ++i) {
      schedule.begin(begin, service, Departure::kAtEnd);
      schedule.depart(schedule.due(), service, Departure::kAtEnd, Duration{0});
    }
    const WideUint got = wide(span_between(FinePoint::of(begin), schedule.departure_time()));
    const ExactSpan exact = rates.exact_service(bytes);
    const WideUint scaled = got * exact.denominator;
    const WideUint want = exact.numerator * units * WideUint::power_of_two(64);
    const WideUint off = scaled < want ? want - scaled : scaled - want;
    return off.approximately() / want.approximately();
  };
  for (double rate = kMinUnitsPerSecond; rate <= kMaxUnitsPerSecond; rate *= 7.7) {
    EXPECT_LT(error({rate, 0}, 1500, 1'000'000), 1e-15L) << rate << "/s";
  }
  for (double rate = kMinBitsPerSecond; rate <= kMaxBitsPerSecond; rate *= 7.7) {
    EXPECT_LT(error({0, rate}, 67, 1'000'000), 1e-15L) << rate << " bit/s";
  }
  for (const Rates rates : {Rates{0, 400e9}, Rates{0, 399'999'999'999.0}, Rates{0, 1e9 / 3},
                            Rates{1e9, 0}, Rates{14'880'952.38, 0}, Rates{3e6, 7e9}}) {
    EXPECT_LT(error(rates, 84, 10'000'000), 1e-15L)
        << rates.units_per_second << "/s, " << rates.bits_per_second << " bit/s";
  }
}

TEST(VirtualSchedule, SavesNothingUpWhileIdle) {
  Draw draw(4);
  for (int scenario = 0; scenario < 2000; ++scenario) {
    const Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    const FineSpan service = periods.service(100);
    for (const Departure departure : kBothEnds) {
      const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
      ReferenceBucket bucket(periods, departure, kForever, begin);
      bucket.offer(begin, 100);
      bucket.poll(bucket.schedule().due());
      const TimePoint later = bucket.schedule().departure_time().ceil() +
                              Duration{static_cast<std::int64_t>(ns_of(service))} +
                              Duration{static_cast<std::int64_t>(draw.of_any_size(1, 1ULL << 60))};
      for (int i = 0; i < 5; ++i) bucket.offer(later, 100);
      FinePoint due = FinePoint::of(later);
      if (departure == Departure::kAtEnd) due = due + service;
      for (std::size_t left = 5; left > 0; --left) {
        ASSERT_EQ(bucket.schedule().departure_time(), due);
        ASSERT_EQ(bucket.size(), left);
        due = due + service;
        bucket.poll(bucket.schedule().due());
      }
    }
  }
}

TEST(VirtualSchedule, GivesTheNumbersOfTheSpecification) {
  // Ten a second, units leave at the end of service.
  const ServicePeriods periods = Rates{10, 0}.periods();
  const TimePoint begin{123'456'789};
  constexpr Duration kPollGap{10'000'000};
  ReferenceBucket bucket(periods, Departure::kAtEnd, Duration{20'000'000}, begin);
  for (int ahead = 0; ahead < 50; ++ahead) {
    EXPECT_EQ(bucket.wait(begin).ns, ahead * 100'000'000LL);
    bucket.offer(begin, 1);
  }
  // All of the burst waits, and nothing has been processed yet.
  bucket.poll(begin);
  bucket.poll(begin + Duration{99'999'999});
  EXPECT_EQ(bucket.size(), 50U);
  bucket.poll(begin + Duration{100'000'000});
  EXPECT_EQ(bucket.size(), 49U);
  // Ten ahead make a second, less what the unit in service has been served.
  for (TimePoint now = begin; now <= begin + Duration{4'030'000'000}; now = now + kPollGap) {
    bucket.poll(now);
  }
  EXPECT_EQ(bucket.size(), 10U);
  EXPECT_EQ(bucket.wait(begin + Duration{4'030'000'000}).ns, 970'000'000);
  for (TimePoint now = begin; now < begin + Duration{5'000'000'000}; now = now + kPollGap) {
    bucket.poll(now);
  }
  EXPECT_EQ(bucket.departed().size(), 49U);
  bucket.poll(begin + Duration{5'000'000'000});
  EXPECT_EQ(bucket.departed().size(), 50U);
}

TEST(VirtualSchedule, WaitsAreWhatTheUnitsThenWait) {
  Draw draw(5);
  for (int scenario = 0; scenario < 500; ++scenario) {
    const bool by_units = draw.one_in(2);
    const Rates rates = by_units
                            ? Rates{static_cast<double>(draw.of_any_size(1, 100'000)), 0}
                            : Rates{0, static_cast<double>(draw.of_any_size(1000, 1ULL << 33))};
    const ServicePeriods periods = rates.periods();
    for (const Departure departure : kBothEnds) {
      TimePoint now{kOrigins[draw.between(0, kOrigins.size() - 1)]};
      ReferenceBucket bucket(periods, departure, Duration{0}, now);
      std::vector<TimePoint> foreseen;
      std::vector<FineSpan> services;
      while (foreseen.size() < 60) {
        while (!bucket.empty() && bucket.schedule().due() <= now)
          bucket.poll(bucket.schedule().due());
        const std::uint32_t bytes = draw_bytes(draw);
        foreseen.push_back(now + bucket.wait(now));
        services.push_back(periods.service(bytes));
        bucket.offer(now, bytes);
        now =
            now +
            Duration{static_cast<std::int64_t>(draw.between(0, 2 * ns_of(periods.service(1000))))};
      }
      while (!bucket.empty()) bucket.poll(bucket.schedule().due());
      for (std::size_t i = 0; i < foreseen.size(); ++i) {
        const Duration served{
            departure == Departure::kAtEnd ? static_cast<std::int64_t>(services[i].ns) : 0};
        EXPECT_NEAR(static_cast<double>((bucket.departed()[i].at - (foreseen[i] + served)).ns), 0,
                    2);
      }
    }
  }
}

}  // namespace
}  // namespace drip::test
