// SPDX-License-Identifier: BSD-3-Clause
// The schedule when its rate changes in the middle of a service.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "drip/virtual_schedule.h"
#include "reference_bucket.h"

namespace drip::test {
namespace {

TEST(VirtualSchedule, ConservesWorkOverAnyChangesOfABitRate) {
  // Work is additive in bits, so the oracle is the area under the rate: whole numbers.
  Draw draw(7);
  for (int scenario = 0; scenario < 4000; ++scenario) {
    const Departure departure = kBothEnds[draw.between(0, 1)];
    const std::uint64_t origin_ns = kOrigins[draw.between(0, kOrigins.size() - 1)];
    const std::uint64_t base_bps = draw.of_any_size(1, 400'000'000);
    const auto draw_bps = [&] { return base_bps * draw.of_any_size(1, 1000); };
    const std::uint64_t mean_service_ns = 8'000'000'000ULL * 1000 / base_bps / 30;
    const std::uint64_t changes_a_service = draw.of_any_size(1, 50);
    const std::uint64_t mean_gap_ns = mean_service_ns / changes_a_service + 1;
    SCOPED_TRACE(::testing::Message() << "scenario " << scenario << ": base " << base_bps
                                      << " bit/s, origin " << origin_ns);

    std::uint64_t bps = draw_bps();
    TimePoint now{origin_ns};
    ReferenceBucket bucket(Rates{0, static_cast<double>(bps)}.periods(), departure, Duration{0},
                           now);
    std::vector<std::uint32_t> bytes;
    for (int i = 0; i < 20; ++i) {
      bytes.push_back(static_cast<std::uint32_t>(draw.between(64, 1518)));
      bucket.offer(now, bytes.back());
    }
    constexpr Uint128 kBitNs = 8'000'000'000;  // bytes * kBitNs = bit/s * ns
    Uint128 worked = 0;
    Uint128 needed = departure == Departure::kAtEnd ? bytes[0] * kBitNs : 0;
    TimePoint next_change = now + Duration{static_cast<std::int64_t>(draw.between(0, mean_gap_ns))};
    while (!bucket.empty()) {
      const TimePoint due = bucket.schedule().due();
      const TimePoint event = std::min(due, next_change, [](auto a, auto b) { return a < b; });
      ASSERT_GE(event, now);
      worked += static_cast<Uint128>((event - now).ns) * bps;
      now = event;
      if (due <= now) {
        const Uint128 tolerance = needed >> 50;
        ASSERT_GE(worked + tolerance, needed) << "early, unit " << bucket.departed().size();
        // A nanosecond less would not have been enough.
        if (needed > 0) {
          ASSERT_LE(worked, needed + tolerance + bps) << "late";
        }
        bucket.poll(now);
        const std::size_t next = bucket.departed().size();
        if (departure == Departure::kAtEnd) {
          if (next < bytes.size()) needed += bytes[next] * kBitNs;
        } else {
          needed += bytes[next - 1] * kBitNs;
        }
        continue;
      }
      bps = draw_bps();
      bucket.change(now, Rates{0, static_cast<double>(bps)}.periods());
      next_change = now + Duration{static_cast<std::int64_t>(draw.between(0, 2 * mean_gap_ns))};
    }
  }
}

TEST(VirtualSchedule, RescalesOneServiceExactlyWithBothRates) {
  // The share that is done adds up over the rates: sum of T(k)/S(k), with S(k) the whole service at
  // rates k and T(k) the time at them. It must be 1 when the unit leaves, and not before.
  Draw draw(8);
  for (int scenario = 0; scenario < 20000; ++scenario) {
    const std::uint32_t bytes = draw_bytes(draw);
    std::array<Rates, 3> palette;
    std::array<ExactSpan, 3> exact;
    std::uint64_t shortest_ns = 1ULL << 62;
    for (std::size_t k = 0; k < palette.size(); ++k) {
      palette[k] = draw_rates(draw);
      exact[k] = palette[k].exact_service(bytes);
      shortest_ns = std::min(shortest_ns, ns_of(palette[k].periods().service(bytes)));
    }
    const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    const std::uint64_t gap_ns = std::max<std::uint64_t>(1, shortest_ns / draw.between(1, 6));
    std::size_t present = draw.between(0, 2);
    ReferenceBucket bucket(palette[present].periods(), Departure::kAtEnd, Duration{0}, begin);
    bucket.offer(begin, bytes);
    std::array<std::uint64_t, 3> spent_ns{};
    TimePoint now = begin;
    for (std::uint64_t changes = draw.between(0, 12); changes > 0; --changes) {
      const TimePoint next = now + Duration{static_cast<std::int64_t>(draw.between(0, gap_ns))};
      if (bucket.schedule().due() <= next) break;
      spent_ns[present] += static_cast<std::uint64_t>((next - now).ns);
      now = next;
      present = draw.between(0, 2);
      bucket.change(now, palette[present].periods());
    }
    spent_ns[present] += static_cast<std::uint64_t>((bucket.schedule().due() - now).ns);

    const auto done = [&](const std::array<std::uint64_t, 3>& spent) {
      WideUint sum;
      for (std::size_t k = 0; k < 3; ++k) {
        sum = sum + exact[k].denominator * spent[k] * exact[(k + 1) % 3].numerator *
                        exact[(k + 2) % 3].numerator;
      }
      return sum;
    };
    const WideUint all = exact[0].numerator * exact[1].numerator * exact[2].numerator;
    const WideUint part = WideUint::power_of_two(50);
    ASSERT_GE(done(spent_ns) * (part + WideUint(1)), all * part) << "early, scenario " << scenario;
    ASSERT_GT(spent_ns[present], 0U);
    --spent_ns[present];
    ASSERT_LE(done(spent_ns) * part, all * (part + WideUint(1))) << "late, scenario " << scenario;
  }
}

TEST(VirtualSchedule, NeverGainsByRescalingToAndFro) {
  // To and fro between the same two rates at one moment: rounding only ever adds, and next to
  // nothing.
  Draw draw(9);
  for (int scenario = 0; scenario < 3000; ++scenario) {
    const FineSpan one = draw_rates(draw).periods().service(draw_bytes(draw));
    const FineSpan other = draw_rates(draw).periods().service(draw_bytes(draw));
    const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    VirtualSchedule schedule(begin);
    schedule.begin(begin, one, Departure::kAtEnd);
    const TimePoint now = begin + Duration{static_cast<std::int64_t>(draw.between(0, one.ns))};
    if (schedule.due() <= now) continue;
    FinePoint last = schedule.departure_time();
    const FinePoint first = last;
    // A service that shrinks to next to no time cannot be told from none: let it be 1 ns.
    if (other.ns == 0) continue;
    for (int i = 0; i < 100; ++i) {
      schedule.rescale(now, one, other);
      if (schedule.due() <= now) break;
      schedule.rescale(now, other, one);
      ASSERT_FALSE(schedule.departure_time().ns - begin.ns < last.ns - begin.ns)
          << "scenario " << scenario;
      ASSERT_TRUE(schedule.departure_time().ns != last.ns ||
                  schedule.departure_time().fraction >= last.fraction);
      last = schedule.departure_time();
    }
    // 200 roundings of at most 2^-60 of the service, and 200 steps of 2^-64 ns of the shorter one.
    const long double step = std::max(1.0L, one.as_ns() / other.as_ns()) * 0x1p-64L;
    EXPECT_LE(span_between(first, last).as_ns(), 200 * (one.as_ns() * 0x1p-60L + 2 * step));
  }
}

TEST(VirtualSchedule, RescalingLeavesAloneWhatIsDueOrServed) {
  const FineSpan slow{1'000'000, 0};
  const FineSpan fast{1'000, 0};
  VirtualSchedule schedule(TimePoint{0});
  schedule.begin(TimePoint{0}, fast, Departure::kAtEnd);
  schedule.rescale(TimePoint{1'000}, fast, slow);
  EXPECT_EQ(schedule.due(), TimePoint{1'000});
  schedule.rescale(TimePoint{5'000}, fast, slow);
  EXPECT_EQ(schedule.due(), TimePoint{1'000});
  // No service is under way in a bucket that has not served anything.
  VirtualSchedule fresh(TimePoint{7});
  fresh.rescale(TimePoint{7}, FineSpan{}, slow);
  EXPECT_EQ(fresh.due(), TimePoint{7});
  EXPECT_FALSE(fresh.in_service(TimePoint{7}));
}

TEST(VirtualSchedule, ServesAfterTheStartOfService) {
  const FineSpan service{1'000, 0};
  VirtualSchedule schedule(TimePoint{0});
  schedule.begin(TimePoint{5}, service, Departure::kAtStart);
  EXPECT_EQ(schedule.due(), TimePoint{5});
  schedule.depart(TimePoint{5}, service, Departure::kAtStart, Duration{0});
  EXPECT_TRUE(schedule.in_service(TimePoint{1'004}));
  EXPECT_FALSE(schedule.in_service(TimePoint{1'005}));
  // Half-way the rate doubles: half of what is left.
  schedule.rescale(TimePoint{505}, service, FineSpan{500, 0});
  EXPECT_FALSE(schedule.in_service(TimePoint{756}));
  EXPECT_TRUE(schedule.in_service(TimePoint{754}));
}

}  // namespace
}  // namespace drip::test
