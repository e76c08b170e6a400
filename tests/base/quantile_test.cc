// SPDX-License-Identifier: BSD-3-Clause
#include "base/quantile.h"

#include <gtest/gtest.h>

namespace drip {
namespace {

TEST(Quantile, OfNothingIsZero) {
  EXPECT_EQ(quantile(std::vector<double>{}, 0.5), 0);
  EXPECT_EQ(quantile(std::vector<double>{}, 1), 0);
}

TEST(Quantile, OfOneSampleIsThatSample) {
  for (const double fraction : {0.0, 0.5, 1.0}) EXPECT_EQ(quantile(std::vector{7}, fraction), 7);
}

TEST(Quantile, EndsAreTheLeastAndTheGreatest) {
  const std::vector<int> samples = {1, 2, 3, 4};
  EXPECT_EQ(quantile(samples, 0), 1);
  EXPECT_EQ(quantile(samples, 1), 4);
}

TEST(Quantile, LiesAtItsShareOfTheWay) {
  std::vector<int> samples;
  for (int i = 0; i <= 1000; ++i) samples.push_back(i);
  EXPECT_EQ(quantile(samples, 0.5), 500);
  EXPECT_EQ(quantile(samples, 0.999), 999);
  EXPECT_EQ(quantile(samples, 0.9999), 999);  // Between two samples: the lower one.
}

}  // namespace
}  // namespace drip
