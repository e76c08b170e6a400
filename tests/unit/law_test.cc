// SPDX-License-Identifier: BSD-3-Clause
// The law against an oracle in exact rational arithmetic, and the design's invariants under stalls.
#include "drip/law.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "drawn_seed.h"
#include "wide_uint.h"

namespace drip {
namespace {

using test::Draw;
using test::WideUint;

constexpr std::array<Departure, 2> kBothEnds = {Departure::kAtStart, Departure::kAtEnd};
constexpr Duration kForever{std::numeric_limits<std::int64_t>::max()};
// Where scenarios begin: an ordinary moment, and moments whose near future wraps around, for the
// signed view of time and for the unsigned one.
constexpr std::array<std::uint64_t, 4> kOrigins = {1'000'000'000, 0 - std::uint64_t{1},
                                                   0 - std::uint64_t{50'000'000},
                                                   (std::uint64_t{1} << 63) - 20'000'000};

// ---- The oracle

// A span of numerator/denominator ns, not reduced.
struct ExactSpan {
  WideUint numerator;
  WideUint denominator = 1;

  friend bool operator<(const ExactSpan& a, const ExactSpan& b) {
    return a.numerator * b.denominator < b.numerator * a.denominator;
  }
};

// `work` / `rate` seconds, exactly: a double is a whole number times a power of two.
ExactSpan exact_period(std::uint64_t work, double rate) {
  int exponent = 0;
  const double mantissa = std::frexp(rate, &exponent);
  auto whole = static_cast<std::uint64_t>(std::ldexp(mantissa, 53));
  exponent -= 53;
  while (whole % 2 == 0) {
    whole /= 2;
    ++exponent;
  }
  const WideUint work_ns = WideUint(work) * 1'000'000'000;
  if (exponent >= 0) {
    return {work_ns, whole * WideUint::power_of_two(static_cast<unsigned>(exponent))};
  }
  return {work_ns * WideUint::power_of_two(static_cast<unsigned>(-exponent)), whole};
}

struct Rates {
  double units_per_second = 0;
  double bits_per_second = 0;

  [[nodiscard]] ServicePeriods periods() const {
    return ServicePeriods::of_rates(units_per_second, bits_per_second);
  }
  [[nodiscard]] ExactSpan exact_service(std::uint32_t bytes) const {
    ExactSpan service;
    if (units_per_second > 0) service = exact_period(1, units_per_second);
    if (bits_per_second > 0) {
      service = std::max(service, exact_period(8ULL * bytes, bits_per_second));
    }
    return service;
  }
};

// G/D/1 with rational times, all of them over one denominator: the product of both rates' own.
class ExactQueue {
 public:
  ExactQueue(Rates rates, Departure departure) : rates_(rates), departure_(departure) {
    if (rates.units_per_second > 0) {
      unit_denominator_ = exact_period(1, rates.units_per_second).denominator;
    }
    if (rates.bits_per_second > 0) {
      bit_denominator_ = exact_period(1, rates.bits_per_second).denominator;
    }
  }

  /// When the unit leaves, over denominator().
  WideUint arrive(std::uint64_t arrival_ns, std::uint32_t bytes) {
    const WideUint arrival = denominator() * arrival_ns;
    if (free_ < arrival) {
      free_ = arrival;
      busy_ = 0;
    }
    const WideUint start = free_;
    const WideUint duration = service(bytes);
    free_ = free_ + duration;
    busy_ = busy_ + duration;
    return departure_ == Departure::kAtStart ? start : free_;
  }
  [[nodiscard]] WideUint denominator() const { return unit_denominator_ * bit_denominator_; }
  /// How long the server has worked without a pause, over denominator().
  [[nodiscard]] const WideUint& busy() const { return busy_; }

 private:
  [[nodiscard]] WideUint service(std::uint32_t bytes) const {
    WideUint longest;
    if (rates_.units_per_second > 0) {
      longest = exact_period(1, rates_.units_per_second).numerator * bit_denominator_;
    }
    if (rates_.bits_per_second > 0) {
      longest = std::max(longest, exact_period(8ULL * bytes, rates_.bits_per_second).numerator *
                                      unit_denominator_);
    }
    return longest;
  }

  Rates rates_;
  Departure departure_;
  WideUint unit_denominator_ = 1;
  WideUint bit_denominator_ = 1;
  WideUint free_;
  WideUint busy_;
};

Rates draw_rates(Draw& draw) {
  Rates rates;
  // As drawn, all 53 bits of the mantissa count; as people set rates, few do.
  const auto drawn = [&](double least, double most) {
    const double u = static_cast<double>(draw.between(0, 1ULL << 52)) * 0x1p-52;
    const double rate = std::exp2(std::log2(least) + u * (std::log2(most) - std::log2(least)));
    return std::clamp(draw.one_in(2) ? rate : std::max(std::round(rate), least), least, most);
  };
  const std::uint64_t kind = draw.between(0, 3);
  if (kind != 1) rates.units_per_second = drawn(kMinUnitsPerSecond, kMaxUnitsPerSecond);
  if (kind != 0) rates.bits_per_second = drawn(kMinBitsPerSecond, kMaxBitsPerSecond);
  if (kind == 3) rates.bits_per_second = std::min(rates.units_per_second * 4000 + 1, 400e9);
  return rates;
}

std::uint32_t draw_bytes(Draw& draw) {
  return static_cast<std::uint32_t>(draw.of_any_size(1, kMaxWireBytes));
}

std::uint64_t ns_of(const FineSpan& span) { return span.ns + 1; }

// ---- A bucket as its transmitter drives the law

struct Departed {
  TimePoint at;
  FineSpan service;
  std::uint32_t bytes = 0;
};

class Bucket {
 public:
  Bucket(ServicePeriods periods, Departure departure, Duration max_catchup, TimePoint now)
      : law_(now), periods_(periods), departure_(departure), max_catchup_(max_catchup) {}

  void offer(TimePoint arrival, std::uint32_t bytes) {
    waiting_.push_back({arrival, bytes});
    if (waiting_.size() == 1) begin();
  }
  /// Lets go all that is due.
  void poll(TimePoint now) {
    while (!waiting_.empty() && law_.due() <= now) {
      in_service_bytes_ = waiting_.front().bytes;
      const FineSpan service = periods_.service(in_service_bytes_);
      forfeited_ = forfeited_ + law_.depart(now, service, departure_, max_catchup_);
      departed_.push_back({now, service, in_service_bytes_});
      waiting_.pop_front();
      if (waiting_.empty()) return;
      begin();
    }
  }
  /// Takes the unit in place `at` back (0: the head), as its transmitter does at the END.
  void release(std::size_t at, TimePoint now) {
    const FineSpan service = periods_.service(waiting_[at].bytes);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
    if (at > 0) return;
    if (waiting_.empty()) {
      law_.give_up_head(now, service);
    } else {
      const Waiting& next = waiting_.front();
      law_.replace_head(now, next.arrival, service, periods_.service(next.bytes));
    }
  }
  void change(TimePoint now, ServicePeriods periods) {
    const bool head_served = !waiting_.empty() && departure_ == Departure::kAtEnd;
    const std::uint32_t bytes = head_served ? waiting_.front().bytes : in_service_bytes_;
    law_.rescale(now, periods_.service(bytes), periods.service(bytes));
    periods_ = periods;
  }
  /// A newcomer's wait until its service starts.
  [[nodiscard]] Duration wait(TimePoint now) const {
    const Duration head = std::max(law_.due() - now, Duration{0});
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

  [[nodiscard]] const Law& law() const { return law_; }
  [[nodiscard]] TimePoint head_arrival() const { return waiting_.front().arrival; }
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] std::size_t size() const { return waiting_.size(); }
  [[nodiscard]] Duration forfeited() const { return forfeited_; }
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
    if (!law_.in_service(head.arrival)) ++idle_starts_;
    law_.begin(head.arrival, periods_.service(head.bytes), departure_);
  }

  Law law_;
  ServicePeriods periods_;
  Departure departure_;
  Duration max_catchup_;
  std::uint32_t in_service_bytes_ = 0;
  std::deque<Waiting> waiting_;
  std::vector<Departed> departed_;
  Duration forfeited_;
  std::size_t idle_starts_ = 0;
};

// ---- Time

TEST(Time, ComparesAndSubtractsAcrossTheWrap) {
  constexpr TimePoint kBefore{std::numeric_limits<std::uint64_t>::max() - 1};
  constexpr TimePoint kAfter = kBefore + Duration{5};
  EXPECT_EQ(kAfter.ns, 3U);
  EXPECT_TRUE(kBefore < kAfter && kBefore <= kAfter && kAfter > kBefore && kAfter >= kBefore);
  EXPECT_EQ((kAfter - kBefore).ns, 5);
  EXPECT_EQ((kBefore - kAfter).ns, -5);
  EXPECT_EQ(kAfter + Duration{-5}, kBefore);
  constexpr FinePoint kFine{std::numeric_limits<std::uint64_t>::max(), 1};
  EXPECT_EQ(kFine.ceil(), TimePoint{0});
  EXPECT_TRUE(kFine.after(kBefore));
  EXPECT_TRUE(kFine.after(TimePoint{std::numeric_limits<std::uint64_t>::max()}));
  EXPECT_FALSE(kFine.after(TimePoint{0}));
}

WideUint wide(const FineSpan& span) {
  return span.ns * WideUint::power_of_two(64) + WideUint(span.fraction);
}

TEST(Time, FineArithmeticIsExact) {
  Draw draw(1);
  const auto any = [&] { return draw.of_any_size(1, std::numeric_limits<std::uint64_t>::max()); };
  for (int i = 0; i < 100'000; ++i) {
    const FineSpan span{draw.of_any_size(1, 1ULL << 40), any()};
    const std::uint64_t count = draw.of_any_size(1, 1ULL << 20);
    ASSERT_EQ(wide(span.times(count)), wide(span) * count);
    ASSERT_EQ(span.estimated_times(count), span.times(count));
    const FinePoint point{any(), any()};
    const FinePoint later = point + span;
    ASSERT_EQ(span_between(point, later), span);
    ASSERT_EQ(later - span, point);
    ASSERT_GE(later.ceil() - TimePoint{point.ns}, Duration{static_cast<std::int64_t>(span.ns)});
    ASSERT_LE(later.ceil() - TimePoint{point.ns}, Duration{static_cast<std::int64_t>(span.ns) + 2});
  }
}

TEST(Time, SpansOfNanosecondsKeepTheirFraction) {
  EXPECT_EQ(FineSpan::of_ns(0), FineSpan{});
  EXPECT_EQ(FineSpan::of_ns(-1), FineSpan{});
  EXPECT_EQ(FineSpan::of_ns(2.5L), (FineSpan{2, 1ULL << 63}));
  EXPECT_EQ(FineSpan::of_ns(0x1p-64L), (FineSpan{0, 1}));
  EXPECT_EQ((FineSpan{3, 1ULL << 62}).as_ns(), 3.25L);
}

TEST(Time, EstimatesStopBeforeTheyOverflow) {
  const ServicePeriods slowest = Rates{0, kMinBitsPerSecond}.periods();
  const FineSpan forever = slowest.backlog_service(1U << 20, std::uint64_t{65535} << 20);
  EXPECT_EQ(forever, (FineSpan{FineSpan::kLongestEstimateNs, 0}));
  EXPECT_GT((Duration{static_cast<std::int64_t>(forever.ns)} +
             Duration{static_cast<std::int64_t>(forever.ns) - 1})
                .ns,
            0);
}

// ---- Service times

TEST(ServicePeriods, TakeTheLongerOfBothRates) {
  const ServicePeriods both = Rates{1000, 8'000'000}.periods();
  EXPECT_EQ(both.service(1), (FineSpan{1'000'000, 0}));
  EXPECT_EQ(both.service(1000), (FineSpan{1'000'000, 0}));
  EXPECT_EQ(both.service(1500), (FineSpan{1'500'000, 0}));
  EXPECT_EQ(Rates({10, 0}).periods().service(65535), (FineSpan{100'000'000, 0}));
  EXPECT_EQ(both.backlog_service(3, 1500), (FineSpan{3'000'000, 0}));
  EXPECT_EQ(both.backlog_service(3, 4500), (FineSpan{4'500'000, 0}));
}

TEST(ServicePeriods, TellTheRateAsItTrulyIs) {
  Draw draw(2);
  for (int i = 0; i < 10'000; ++i) {
    const Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    EXPECT_NEAR(periods.true_units_per_second(), rates.units_per_second,
                rates.units_per_second * 1e-15);
    EXPECT_NEAR(periods.true_bits_per_second(), rates.bits_per_second,
                rates.bits_per_second * 1e-15);
  }
}

// ---- Departure times

// |point - exact| against the time for which the server has been busy: the law may be off by the
// rounding of its periods, 1 part in 2^57, and by nothing else.
void expect_close(FinePoint point, std::uint64_t origin_ns, const WideUint& exact,
                  const ExactQueue& oracle) {
  const WideUint got = wide({point.ns - origin_ns, point.fraction}) * oracle.denominator();
  const WideUint want = exact * WideUint::power_of_two(64);
  const WideUint error = got < want ? want - got : got - want;
  ASSERT_LE(error * WideUint::power_of_two(57), oracle.busy() * WideUint::power_of_two(64))
      << "off by " << error.approximately() / oracle.denominator().approximately() * 0x1p-64L
      << " ns";
}

TEST(Law, DepartsWhenTheExactQueueDoes) {
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
    Law law(TimePoint{origin_ns});
    std::uint64_t arrival_ns = 0;
    const std::uint64_t mean_gap_ns = ns_of(periods.service(1000)) * draw.between(1, 4);
    for (int i = 0; i < 100; ++i) {
      // Bursts, gaps around the service time, and pauses.
      if (!draw.one_in(3)) arrival_ns += draw.between(0, mean_gap_ns);
      if (draw.one_in(30)) arrival_ns += mean_gap_ns * 20;
      const std::uint32_t bytes = draw_bytes(draw);
      const FineSpan service = periods.service(bytes);
      law.begin(TimePoint{origin_ns + arrival_ns}, service, departure);
      const WideUint exact = oracle.arrive(arrival_ns, bytes);
      ASSERT_NO_FATAL_FAILURE(expect_close(law.point(), origin_ns, exact, oracle));
      ASSERT_EQ(law.depart(law.due(), service, departure, Duration{0}).ns, 0);
    }
  }
}

TEST(Law, KeepsTheRateToOnePartInTenToTheNine) {
  // A poll at each due time, which is rounded up to whole nanoseconds: the remainder must carry.
  const auto error = [](Rates rates, std::uint32_t bytes, std::uint64_t units) {
    const ServicePeriods periods = rates.periods();
    const FineSpan service = periods.service(bytes);
    const TimePoint begin{0 - std::uint64_t{1'000'000}};
    Law law(begin);
    for (std::uint64_t i = 0; i < units; ++i) {
      law.begin(begin, service, Departure::kAtEnd);
      law.depart(law.due(), service, Departure::kAtEnd, Duration{0});
    }
    const WideUint got = wide(span_between(FinePoint::of(begin), law.point()));
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

TEST(Law, SavesNothingUpWhileIdle) {
  Draw draw(4);
  for (int scenario = 0; scenario < 2000; ++scenario) {
    const Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    const FineSpan service = periods.service(100);
    for (const Departure departure : kBothEnds) {
      const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
      Bucket bucket(periods, departure, kForever, begin);
      bucket.offer(begin, 100);
      bucket.poll(bucket.law().due());
      const TimePoint later = bucket.law().point().ceil() +
                              Duration{static_cast<std::int64_t>(ns_of(service))} +
                              Duration{static_cast<std::int64_t>(draw.of_any_size(1, 1ULL << 60))};
      for (int i = 0; i < 5; ++i) bucket.offer(later, 100);
      FinePoint due = FinePoint::of(later);
      if (departure == Departure::kAtEnd) due = due + service;
      for (std::size_t left = 5; left > 0; --left) {
        ASSERT_EQ(bucket.law().point(), due);
        ASSERT_EQ(bucket.size(), left);
        due = due + service;
        bucket.poll(bucket.law().due());
      }
    }
  }
}

TEST(Law, GivesTheNumbersOfTheSpecification) {
  // Ten a second, units leave at the end of service.
  const ServicePeriods periods = Rates{10, 0}.periods();
  const TimePoint begin{123'456'789};
  constexpr Duration kPollGap{10'000'000};
  Bucket bucket(periods, Departure::kAtEnd, Duration{20'000'000}, begin);
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

TEST(Law, WaitsAreWhatTheUnitsThenWait) {
  Draw draw(5);
  for (int scenario = 0; scenario < 500; ++scenario) {
    const bool by_units = draw.one_in(2);
    const Rates rates = by_units
                            ? Rates{static_cast<double>(draw.of_any_size(1, 100'000)), 0}
                            : Rates{0, static_cast<double>(draw.of_any_size(1000, 1ULL << 33))};
    const ServicePeriods periods = rates.periods();
    for (const Departure departure : kBothEnds) {
      TimePoint now{kOrigins[draw.between(0, kOrigins.size() - 1)]};
      Bucket bucket(periods, departure, Duration{0}, now);
      std::vector<TimePoint> foreseen;
      std::vector<FineSpan> services;
      while (foreseen.size() < 60) {
        while (!bucket.empty() && bucket.law().due() <= now) bucket.poll(bucket.law().due());
        const std::uint32_t bytes = draw_bytes(draw);
        foreseen.push_back(now + bucket.wait(now));
        services.push_back(periods.service(bytes));
        bucket.offer(now, bytes);
        now =
            now +
            Duration{static_cast<std::int64_t>(draw.between(0, 2 * ns_of(periods.service(1000))))};
      }
      while (!bucket.empty()) bucket.poll(bucket.law().due());
      for (std::size_t i = 0; i < foreseen.size(); ++i) {
        const Duration served{
            departure == Departure::kAtEnd ? static_cast<std::int64_t>(services[i].ns) : 0};
        EXPECT_NEAR(static_cast<double>((bucket.departed()[i].at - (foreseen[i] + served)).ns), 0,
                    2);
      }
    }
  }
}

// ---- Stalls of the polling thread

struct Poll {
  TimePoint at;
  std::size_t departed = 0;  // So far.
  Duration forfeited;        // So far.
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
  Bucket bucket(periods, departure, max_catchup, now);
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
        {now, bucket.departed().size(), bucket.forfeited(), !bucket.empty(), bucket.idle_starts()});
  }
  run.departed = bucket.departed();
  return run;
}

// In [s, t] at most R (t - s), one unit, and max_catchup: as service times, over all windows.
void expect_not_too_much(const StalledRun& run, Duration max_catchup) {
  constexpr std::int64_t kRoundingNs = 1;
  for (std::size_t first = 0; first < run.departed.size(); ++first) {
    FineSpan served{};
    FineSpan longest{};
    for (std::size_t last = first; last < run.departed.size(); ++last) {
      const Departed& unit = run.departed[last];
      served = span_between(FinePoint{}, FinePoint{served.ns, served.fraction} + unit.service);
      longest = std::max(longest, unit.service);
      const Duration window = unit.at - run.departed[first].at;
      const long double allowed = static_cast<long double>(window.ns) + longest.as_ns() +
                                  static_cast<long double>(max_catchup.ns) + kRoundingNs;
      ASSERT_LE(served.as_ns(), allowed) << "departures " << first << " to " << last;
    }
  }
}

// In [s, t] with a backlog throughout at least R (t - s) less one unit, where s is a departure and
// t a poll, and but for what was forfeited. A unit that only the stall kept in the bucket is no
// backlog: by the law it had left, and the server was free.
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
      const Duration lost = run.polls[last].forfeited - run.polls[first].forfeited;
      ASSERT_GE(served.as_ns() + longest_service.as_ns() + static_cast<long double>(lost.ns) +
                    kRoundingNs,
                static_cast<long double>(window.ns))
          << "polls " << first << " to " << last;
    }
  }
}

TEST(Law, BoundsWhatLeavesInEveryIntervalUnderStalls) {
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
      ASSERT_NO_FATAL_FAILURE(expect_not_too_much(run, max_catchup));
      ASSERT_NO_FATAL_FAILURE(expect_not_too_little(run, periods.service(1518)));
      for (const std::uint64_t origin_ns : kOrigins) {
        const StalledRun shifted =
            run_with_stalls(choices, rates, departure, max_catchup, origin_ns);
        ASSERT_EQ(shifted.departed.size(), run.departed.size());
        for (std::size_t i = 0; i < run.departed.size(); ++i) {
          ASSERT_EQ(shifted.departed[i].at.ns - origin_ns,
                    run.departed[i].at.ns - kOrigins.front());
        }
        ASSERT_EQ(shifted.polls.back().forfeited, run.polls.back().forfeited);
      }
    }
  }
}

TEST(Law, CatchesUpWhollyWithinItsBoundAndForfeitsTheRest) {
  const FineSpan service{1'000'000, 0};
  Law law(TimePoint{0});
  law.begin(TimePoint{0}, service, Departure::kAtEnd);
  // 3 ms late where 3 ms are allowed: the schedule goes on as if nothing had been.
  EXPECT_EQ(law.depart(TimePoint{4'000'000}, service, Departure::kAtEnd, Duration{3'000'000}).ns,
            0);
  law.begin(TimePoint{0}, service, Departure::kAtEnd);
  EXPECT_EQ(law.due(), TimePoint{2'000'000});
  // 10 ms late: 7 are lost, and the schedule goes on 3 ms behind.
  EXPECT_EQ(law.depart(TimePoint{12'000'000}, service, Departure::kAtEnd, Duration{3'000'000}).ns,
            7'000'000);
  law.begin(TimePoint{0}, service, Departure::kAtEnd);
  EXPECT_EQ(law.due(), TimePoint{10'000'000});
}

// ---- Changes of rate

TEST(Law, ConservesWorkOverAnyChangesOfABitRate) {
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
    Bucket bucket(Rates{0, static_cast<double>(bps)}.periods(), departure, Duration{0}, now);
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
      const TimePoint due = bucket.law().due();
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

TEST(Law, RescalesOneServiceExactlyWithBothRates) {
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
    Bucket bucket(palette[present].periods(), Departure::kAtEnd, Duration{0}, begin);
    bucket.offer(begin, bytes);
    std::array<std::uint64_t, 3> spent_ns{};
    TimePoint now = begin;
    for (std::uint64_t changes = draw.between(0, 12); changes > 0; --changes) {
      const TimePoint next = now + Duration{static_cast<std::int64_t>(draw.between(0, gap_ns))};
      if (bucket.law().due() <= next) break;
      spent_ns[present] += static_cast<std::uint64_t>((next - now).ns);
      now = next;
      present = draw.between(0, 2);
      bucket.change(now, palette[present].periods());
    }
    spent_ns[present] += static_cast<std::uint64_t>((bucket.law().due() - now).ns);

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

TEST(Law, NeverGainsByRescalingToAndFro) {
  // To and fro between the same two rates at one moment: rounding only ever adds, and next to
  // nothing.
  Draw draw(9);
  for (int scenario = 0; scenario < 3000; ++scenario) {
    const FineSpan one = draw_rates(draw).periods().service(draw_bytes(draw));
    const FineSpan other = draw_rates(draw).periods().service(draw_bytes(draw));
    const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    Law law(begin);
    law.begin(begin, one, Departure::kAtEnd);
    const TimePoint now = begin + Duration{static_cast<std::int64_t>(draw.between(0, one.ns))};
    if (law.due() <= now) continue;
    FinePoint last = law.point();
    const FinePoint first = last;
    // A service that shrinks to next to no time cannot be told from none: let it be 1 ns.
    if (other.ns == 0) continue;
    for (int i = 0; i < 100; ++i) {
      law.rescale(now, one, other);
      if (law.due() <= now) break;
      law.rescale(now, other, one);
      ASSERT_FALSE(law.point().ns - begin.ns < last.ns - begin.ns) << "scenario " << scenario;
      ASSERT_TRUE(law.point().ns != last.ns || law.point().fraction >= last.fraction);
      last = law.point();
    }
    // 200 roundings of at most 2^-60 of the service, and 200 steps of 2^-64 ns of the shorter one.
    const long double step = std::max(1.0L, one.as_ns() / other.as_ns()) * 0x1p-64L;
    EXPECT_LE(span_between(first, last).as_ns(), 200 * (one.as_ns() * 0x1p-60L + 2 * step));
  }
}

TEST(Law, RescalingLeavesAloneWhatIsDueOrServed) {
  const FineSpan slow{1'000'000, 0};
  const FineSpan fast{1'000, 0};
  Law law(TimePoint{0});
  law.begin(TimePoint{0}, fast, Departure::kAtEnd);
  law.rescale(TimePoint{1'000}, fast, slow);
  EXPECT_EQ(law.due(), TimePoint{1'000});
  law.rescale(TimePoint{5'000}, fast, slow);
  EXPECT_EQ(law.due(), TimePoint{1'000});
  // No service is under way in a bucket that has not served anything.
  Law fresh(TimePoint{7});
  fresh.rescale(TimePoint{7}, FineSpan{}, slow);
  EXPECT_EQ(fresh.due(), TimePoint{7});
  EXPECT_FALSE(fresh.in_service(TimePoint{7}));
}

TEST(Law, ServesAfterTheStartOfService) {
  const FineSpan service{1'000, 0};
  Law law(TimePoint{0});
  law.begin(TimePoint{5}, service, Departure::kAtStart);
  EXPECT_EQ(law.due(), TimePoint{5});
  law.depart(TimePoint{5}, service, Departure::kAtStart, Duration{0});
  EXPECT_TRUE(law.in_service(TimePoint{1'004}));
  EXPECT_FALSE(law.in_service(TimePoint{1'005}));
  // Half-way the rate doubles: half of what is left.
  law.rescale(TimePoint{505}, service, FineSpan{500, 0});
  EXPECT_FALSE(law.in_service(TimePoint{756}));
  EXPECT_TRUE(law.in_service(TimePoint{754}));
}

// ---- Units that are taken back

TEST(Law, NextInLineTakesOverTheServiceUnderWay) {
  Law law(TimePoint{0});
  law.begin(TimePoint{0}, FineSpan{1'000, 0}, Departure::kAtEnd);
  law.replace_head(TimePoint{100}, TimePoint{50}, FineSpan{1'000, 0}, FineSpan{400, 0});
  EXPECT_EQ(law.due(), TimePoint{400});
  law.replace_head(TimePoint{100}, TimePoint{60}, FineSpan{400, 0}, FineSpan{2'000, 0});
  EXPECT_EQ(law.due(), TimePoint{2'000});
  // It would have ended before it came, and before now.
  law.replace_head(TimePoint{700}, TimePoint{650}, FineSpan{2'000, 0}, FineSpan{300, 0});
  EXPECT_EQ(law.due(), TimePoint{700});
  // The old head was late already: the new one is as late, but not later than it came.
  law.replace_head(TimePoint{900}, TimePoint{500}, FineSpan{300, 0}, FineSpan{100, 0});
  EXPECT_EQ(law.due(), TimePoint{700});
  law.replace_head(TimePoint{900}, TimePoint{800}, FineSpan{100, 0}, FineSpan{100, 0});
  EXPECT_EQ(law.due(), TimePoint{800});
}

TEST(Law, AServiceForNobodyCostsNothing) {
  Law law(TimePoint{0});
  law.begin(TimePoint{0}, FineSpan{1'000, 0}, Departure::kAtEnd);
  law.give_up_head(TimePoint{400}, FineSpan{1'000, 0});
  EXPECT_FALSE(law.in_service(TimePoint{400}));
  law.begin(TimePoint{400}, FineSpan{1'000, 0}, Departure::kAtEnd);
  EXPECT_EQ(law.due(), TimePoint{1'400});
  // A unit that left at its START is served until 2000: whoever waits for that gives up nothing.
  Law busy(TimePoint{0});
  busy.begin(TimePoint{0}, FineSpan{2'000, 0}, Departure::kAtStart);
  busy.depart(TimePoint{0}, FineSpan{2'000, 0}, Departure::kAtStart, Duration{0});
  busy.serve_to_end(FineSpan{500, 0});
  EXPECT_EQ(busy.due(), TimePoint{2'500});
  busy.give_up_head(TimePoint{300}, FineSpan{500, 0});
  EXPECT_EQ(busy.due(), TimePoint{2'000});
}

TEST(Law, BoundsWhatLeavesWhenUnitsAreTakenBack) {
  Draw draw(10);
  for (int scenario = 0; scenario < 400; ++scenario) {
    const Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    const std::uint64_t mean_service_ns = ns_of(periods.service(1000));
    const Duration max_catchup{
        static_cast<std::int64_t>(draw.one_in(2) ? 0 : draw.between(0, 3 * mean_service_ns))};
    TimePoint now{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    SCOPED_TRACE(::testing::Message()
                 << "scenario " << scenario << ": " << rates.units_per_second << "/s, "
                 << rates.bits_per_second << " bit/s, max_catchup " << max_catchup.ns << " ns");
    Bucket bucket(periods, Departure::kAtEnd, max_catchup, now);
    std::size_t heads_replaced = 0;
    for (int i = 0; i < 250; ++i) {
      const std::uint64_t stall = draw.one_in(10) ? 8 * mean_service_ns : mean_service_ns / 2;
      now = now + Duration{static_cast<std::int64_t>(draw.between(1, stall + 1))};
      for (std::uint64_t k = draw.between(0, 2); k > 0; --k) {
        bucket.offer(now, static_cast<std::uint32_t>(draw.between(64, 1518)));
      }
      // Before the poll too, when the head may have been due for long.
      for (std::uint64_t k = draw.between(0, 3); k > 0 && !bucket.empty(); --k) {
        const std::size_t at = draw.one_in(2) ? 0 : draw.between(0, bucket.size() - 1);
        const TimePoint earliest =
            std::min(bucket.law().due(), now, [](TimePoint a, TimePoint b) { return a < b; });
        bucket.release(at, now);
        if (at > 0) continue;
        if (bucket.empty()) {
          ASSERT_GE(bucket.law().due(), now);
          continue;
        }
        ++heads_replaced;
        // Nothing is due in the past that was not before, and nothing before it came.
        ASSERT_GE(bucket.law().due(), earliest);
        ASSERT_GE(bucket.law().due(), bucket.head_arrival());
      }
      bucket.poll(now);
    }
    ASSERT_GT(heads_replaced, 20U);
    ASSERT_NO_FATAL_FAILURE(expect_not_too_much(StalledRun{bucket.departed(), {}}, max_catchup));
  }
}

TEST(Law, TakingEqualUnitsBackMovesTheRestUpByOne) {
  // With services of one length it is as if the last one had been taken back, not that one.
  Draw draw(11);
  for (int scenario = 0; scenario < 500; ++scenario) {
    const Rates rates{draw_rates(draw).units_per_second + 1, 0};
    const ServicePeriods periods = rates.periods();
    const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    Bucket some(periods, Departure::kAtEnd, Duration{0}, begin);
    Bucket fewer(periods, Departure::kAtEnd, Duration{0}, begin);
    const std::size_t units = draw.between(2, 20);
    const std::size_t taken = draw.between(1, units - 1);
    for (std::size_t i = 0; i < units; ++i) some.offer(begin, 100);
    for (std::size_t i = 0; i < units - taken; ++i) fewer.offer(begin, 100);
    const TimePoint now =
        begin + Duration{static_cast<std::int64_t>(draw.between(0, periods.per_unit.ns))};
    for (std::size_t i = 0; i < taken; ++i) some.release(draw.between(0, some.size() - 1), now);
    while (!fewer.empty()) {
      ASSERT_EQ(some.law().point(), fewer.law().point());
      some.poll(some.law().due());
      fewer.poll(fewer.law().due());
    }
    EXPECT_TRUE(some.empty());
  }
}

}  // namespace
}  // namespace drip
