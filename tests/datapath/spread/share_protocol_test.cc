// SPDX-License-Identifier: BSD-3-Clause
// The protocol by which the shares of a spread root change hands, step by step in drawn orders:
// what is applied adds up to the whole at the most at every step, and in the end everybody has
// what is due.
#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <vector>

#include "datapath/spread/share_granter.h"
#include "datapath/spread/spread_root.h"

namespace drip::datapath {
namespace {

enum class Fault : std::uint8_t {
  kNone,
  kHoldsBeforeItApplies,
  kGrantsBeforeOthersHoldLess,
};

// One transmitter. Each step is one access to what is shared, or the application of a share.
class Core {
 public:
  Core(CoreLine& line, Fault fault) : line_(line), fault_(fault), applied_(line.held()) {}

  void step() {
    if (stands_still > 0) {
      --stands_still;
      return;
    }
    if (!next_) {
      next_ = line_.next_share();
      is_applied_ = false;
      if (next_ && fault_ == Fault::kHoldsBeforeItApplies) line_.hold(*next_);
      return;
    }
    if (!is_applied_) {
      applied_ = *next_;
      is_applied_ = true;
      return;
    }
    line_.hold(*next_);
    next_.reset();
  }
  [[nodiscard]] std::uint64_t applied() const { return applied_; }
  std::uint32_t stands_still = 0;  // Steps.

 private:
  CoreLine& line_;
  Fault fault_;
  std::uint64_t applied_;
  std::optional<std::uint64_t> next_;
  bool is_applied_ = false;
};

struct Outcome {
  bool safe = true;
  bool settled = true;
};

Outcome run(std::uint64_t seed, Fault fault) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  const auto count = static_cast<std::uint32_t>(2 + below(4));
  SpreadRoot root(count);
  ShareGranter granter(root);
  std::vector<Core> cores;
  for (std::uint32_t i = 0; i < count; ++i) cores.emplace_back(root[i], fault);
  Outcome outcome;
  const auto check = [&] {
    std::uint64_t sum = 0;
    for (const Core& core : cores) sum += core.applied();
    outcome.safe = outcome.safe && sum <= kWholeShare;
  };
  // What the granter has read of each transmitter so far, one at a step.
  std::vector<std::uint64_t> held(count);
  std::uint32_t read = 0;
  const auto granter_step = [&] {
    if (read < count) {
      held[read] =
          fault == Fault::kGrantsBeforeOthersHoldLess ? root[read].granted() : root[read].held();
      ++read;
      return;
    }
    granter.grant_by(held);
    read = 0;
  };
  for (int step = 0; step < 3000; ++step) {
    switch (below(12)) {
      case 0: {
        CoreClaim claim;
        claim.demand = below(3) == 0 ? 0 : below(kWholeShare + 1);
        claim.guaranteed = below(2) * below(kWholeShare / count);
        claim.weight = 1 + below(1000);
        root[below(count)].claim(claim);
        break;
      }
      case 1:
        granter.plan();
        break;
      case 2:
        cores[below(count)].stands_still = static_cast<std::uint32_t>(below(40));
        break;
      case 3:
      case 4:
      case 5:
      case 6:
        granter_step();
        break;
      default:
        cores[below(count)].step();
    }
    check();
  }
  // With nothing new, what was planned is what all have in the end.
  granter.plan();
  for (int step = 0; step < 2000 && outcome.safe; ++step) {
    granter_step();
    for (Core& core : cores) core.step();
    check();
  }
  outcome.settled = granter.settled();
  std::vector<CoreClaim> claims;
  for (std::uint32_t i = 0; i < count; ++i) claims.push_back(root[i].claim());
  std::vector<std::uint64_t> targets(count);
  divide_share(claims, targets);
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto off = static_cast<double>(cores[i].applied()) - static_cast<double>(targets[i]);
    // Changes that are not worth it, of all together.
    if (std::abs(off) > static_cast<double>(count) * static_cast<double>(kWholeShare) / 1024) {
      outcome.settled = false;
    }
  }
  return outcome;
}

constexpr std::uint64_t kSeeds = 2000;

TEST(ShareProtocolTest, WhatIsAppliedNeverAddsUpToMoreThanTheWhole) {
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    const Outcome outcome = run(seed, Fault::kNone);
    ASSERT_TRUE(outcome.safe) << "seed " << seed;
    ASSERT_TRUE(outcome.settled) << "seed " << seed;
  }
}

// The same test sees orders that are wrong.
TEST(ShareProtocolTest, ATransmitterThatSaysTooSoonWhatItHoldsIsSeen) {
  std::uint64_t seen = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    seen += static_cast<std::uint64_t>(!run(seed, Fault::kHoldsBeforeItApplies).safe);
  }
  EXPECT_GT(seen, kSeeds / 10);
}

TEST(ShareProtocolTest, AGranterThatDoesNotWaitIsSeen) {
  std::uint64_t seen = 0;
  for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
    seen += static_cast<std::uint64_t>(!run(seed, Fault::kGrantsBeforeOthersHoldLess).safe);
  }
  EXPECT_GT(seen, kSeeds / 10);
}

}  // namespace
}  // namespace drip::datapath
