// SPDX-License-Identifier: BSD-3-Clause
// Draws the sequences.
#include "bench/path/bucket_order.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace drip::bench {
namespace {

constexpr std::uint64_t kSeed = 20;
// Longer than any cache remembers.
constexpr std::size_t kDraws = std::size_t{1} << 22;

std::vector<std::uint32_t> shuffled(std::uint32_t buckets, std::mt19937_64& random) {
  std::vector<std::uint32_t> numbers(buckets);
  std::iota(numbers.begin(), numbers.end(), 0);
  std::shuffle(numbers.begin(), numbers.end(), random);
  return numbers;
}

std::vector<std::uint32_t> zipf(std::uint32_t buckets, std::mt19937_64& random) {
  std::vector<double> sums(buckets);
  double sum = 0;
  for (std::uint32_t i = 0; i < buckets; ++i) sums[i] = sum += 1.0 / (i + 1);
  const std::vector<std::uint32_t> by_popularity = shuffled(buckets, random);
  std::uniform_real_distribution<double> uniform(0, sum);
  std::vector<std::uint32_t> draws(kDraws);
  for (std::uint32_t& draw : draws) {
    const auto found = std::lower_bound(sums.begin(), sums.end(), uniform(random));
    draw = by_popularity[std::min<std::size_t>(static_cast<std::size_t>(found - sums.begin()),
                                               buckets - 1)];
  }
  return draws;
}

}  // namespace

BucketOrder::BucketOrder(Kind kind, std::uint32_t buckets) {
  std::mt19937_64 random(kSeed);
  // Shuffled, so that no hardware prefetcher sees what comes next.
  order_ = kind == Kind::kRoundRobin ? shuffled(buckets, random) : zipf(buckets, random);
}

}  // namespace drip::bench
