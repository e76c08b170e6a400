// SPDX-License-Identifier: BSD-3-Clause
// COBALT on one queue: when it signals, to whom, and how its state goes to rest.
#include "drip/queue/cobalt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "../drawn_seed.h"
#include "reference_queue.h"

namespace drip::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr TimePoint kStart{std::uint64_t{1} << 40};

// A queue that always holds what has waited `sojourn`, served at fixed distances.
class Served {
 public:
  explicit Served(const CobaltParameters& parameters) : parameters_(parameters) {}

  AqmVerdict serve(std::int64_t sojourn, Ecn ecn = Ecn::kNotCapable, bool last = false) {
    return aqm.decide(parameters_, now, {sojourn}, ecn, last, random_);
  }
  // Times since the start at which packets were dropped or marked.
  std::vector<std::int64_t> signals(std::int64_t sojourn, std::int64_t until, std::int64_t every,
                                    Ecn ecn = Ecn::kNotCapable) {
    std::vector<std::int64_t> at;
    for (; (now - kStart).ns <= until; now = now + Duration{every}) {
      if (serve(sojourn, ecn) != AqmVerdict::kPass) at.push_back((now - kStart).ns);
    }
    return at;
  }

  CobaltState aqm;
  TimePoint now = kStart;

 private:
  CobaltParameters parameters_;
  QueueRandom random_{1};
};

TEST(Cobalt, SignalsAfterAnIntervalAboveTheTargetAndThenByTheControlLaw) {
  Served queue({});
  const std::vector<std::int64_t> at = queue.signals(6 * kMs, 1'000 * kMs, 10'000);
  // RFC 8289, section 4: the first an interval after the sojourn rose, the n-th one
  // interval / sqrt(n) after the one before.
  ASSERT_GE(at.size(), 10U);
  double due = 100e6;
  for (std::size_t i = 0; i < at.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(at[i]), due, 10'000 + 256 * static_cast<double>(i)) << i;
    due += 100e6 / std::sqrt(static_cast<double>(i + 2));
  }
}

TEST(Cobalt, StaysQuietUpToTheTarget) {
  Served queue({});
  EXPECT_TRUE(queue.signals(5 * kMs, 5'000 * kMs, 1 * kMs).empty());
  EXPECT_TRUE(queue.aqm.at_rest());
}

TEST(Cobalt, MarksWhoCanBeMarked) {
  for (const Ecn ecn : {Ecn::kEct0, Ecn::kEct1, Ecn::kCe}) {
    Served queue({});
    queue.signals(6 * kMs, 99 * kMs, 1 * kMs, ecn);
    queue.now = kStart + Duration{101 * kMs};
    EXPECT_EQ(queue.serve(6 * kMs, ecn), AqmVerdict::kMark);
    EXPECT_EQ(queue.serve(6 * kMs, ecn), AqmVerdict::kPass);
  }
}

TEST(Cobalt, NeverDropsTheLastPacketOfAQueue) {
  Served queue({});
  for (int i = 0; i < 3'000; ++i) {
    EXPECT_EQ(queue.serve(50 * kMs, Ecn::kNotCapable, true), AqmVerdict::kPass);
    queue.now = queue.now + Duration{1 * kMs};
  }
  EXPECT_GT(queue.aqm.count, 100U);
}

TEST(Cobalt, RunsDownAtTheControlLawWhenTheQueueIsWell) {
  Served queue({});
  queue.signals(6 * kMs, 1'000 * kMs, 1 * kMs);
  const std::uint32_t count = queue.aqm.count;
  ASSERT_GT(count, 20U);
  queue.signals(1 * kMs, 1'100 * kMs, 1 * kMs);
  EXPECT_LT(queue.aqm.count, count);
  EXPECT_GT(queue.aqm.count, 0U);
  // It took about a second to rise.
  queue.signals(1 * kMs, 2'200 * kMs, 1 * kMs);
  EXPECT_TRUE(queue.aqm.at_rest());
}

TEST(Cobalt, BlueRisesByOverflowsAndDropsEvenWhoCanBeMarked) {
  const CobaltParameters parameters;
  Served queue(parameters);
  for (int i = 0; i < 128; ++i) {
    queue.aqm.overflowed(parameters, queue.now);
    queue.aqm.overflowed(parameters, queue.now);  // Once a target only.
    queue.now = queue.now + Duration{6 * kMs};
  }
  ASSERT_EQ(queue.aqm.drop_probability, 128 * CobaltState::kIncrease);  // One half.
  queue.aqm.count = 0;
  int dropped = 0;
  for (int i = 0; i < 10'000; ++i) {
    queue.aqm.count = 0;
    if (queue.serve(0, Ecn::kEct0) == AqmVerdict::kDrop) ++dropped;
  }
  EXPECT_NEAR(dropped, 5'000, 300);
  for (int i = 0; i < 200; ++i) {
    queue.aqm.overflowed(parameters, queue.now);
    queue.now = queue.now + Duration{6 * kMs};
  }
  EXPECT_EQ(queue.aqm.drop_probability, CobaltState::kCertain);
  for (int i = 0; i < 10; ++i) {
    queue.aqm.emptied(parameters, queue.now);
    queue.aqm.emptied(parameters, queue.now);
    queue.now = queue.now + Duration{6 * kMs};
  }
  EXPECT_EQ(queue.aqm.drop_probability, CobaltState::kCertain - 10);
}

TEST(Cobalt, DecaysWhileEmptyAsIfItHadBeenAskedAllTheTime) {
  const CobaltParameters parameters;
  Draw draw(2);
  for (int i = 0; i < 2'000; ++i) {
    CobaltState aqm;
    aqm.count = static_cast<std::uint32_t>(draw.between(0, CobaltState::kMostSteps));
    aqm.drop_probability = static_cast<std::uint16_t>(draw.between(0, CobaltState::kCertain));
    aqm.drop_next = static_cast<std::uint32_t>(draw.between(1, 400'000));
    aqm.blue_time = 1;
    ReferenceCobalt reference{aqm.count, aqm.drop_next, 1, aqm.drop_probability, false};
    const auto now = static_cast<std::int64_t>(draw.of_any_size(1'024, 30'000 * kMs)) & ~255;
    aqm.decay(parameters, {static_cast<std::uint64_t>(now)});
    reference.rest(parameters, now);
    EXPECT_EQ(aqm.count, reference.count);
    EXPECT_EQ(aqm.drop_probability, reference.probability);
    if (aqm.count > 0) {
      EXPECT_EQ(aqm.drop_next, reference.drop_next);
    }
  }
}

TEST(Cobalt, RunsALongCountDownInBoundedTimeAndAboutRight) {
  const CobaltParameters parameters;
  for (const std::int64_t seconds : {1, 5, 20, 60}) {
    CobaltState aqm;
    aqm.count = 1'000'000;
    ReferenceCobalt reference{aqm.count, 0, 0, 0, false};
    aqm.decay(parameters, {static_cast<std::uint64_t>(seconds * 1'000 * kMs)});
    reference.rest(parameters, seconds * 1'000 * kMs);
    EXPECT_NEAR(aqm.count, static_cast<double>(reference.count), 0.02 * 1'000'000) << seconds;
  }
}

TEST(Cobalt, AStateOfLongAgoIsPutToRest) {
  Served queue({});
  queue.signals(6 * kMs, 1'000 * kMs, 1 * kMs);
  ASSERT_GT(queue.aqm.count, 1U);
  // Times are 32 bits of 256 ns: after 700 s the next signal looks to be ahead.
  queue.now = queue.now + Duration{700'000 * kMs};
  EXPECT_EQ(queue.serve(6 * kMs), AqmVerdict::kPass);
  EXPECT_EQ(queue.aqm.count, 1U);
  queue.now = queue.now + Duration{101 * kMs};
  EXPECT_EQ(queue.serve(6 * kMs), AqmVerdict::kDrop);
}

TEST(Cobalt, HasTheDefaultsOfCakeAtARate) {
  // 1.5 packets of 1514 bytes at 1 Mbit/s are 18.168 ms, and four 48.448.
  const CobaltParameters slow = CobaltParameters::of_rate(1e6, 1514);
  EXPECT_EQ(slow.target.ns, 18'168'000);
  EXPECT_EQ(slow.interval.ns, 113'168'000);
  EXPECT_EQ(slow.over_target.ns, 48'448'000);
  const CobaltParameters slower = CobaltParameters::of_rate(1e5, 1514);
  EXPECT_EQ(slower.target.ns, 181'680'000);
  EXPECT_EQ(slower.interval.ns, 2 * 181'680'000);
  const CobaltParameters fast = CobaltParameters::of_rate(1e8, 1514);
  EXPECT_EQ(fast.target.ns, 5 * kMs);
  EXPECT_EQ(fast.interval.ns, 100 * kMs);
  EXPECT_EQ(fast.over_target.ns, 5 * kMs);
}

}  // namespace
}  // namespace drip::test
