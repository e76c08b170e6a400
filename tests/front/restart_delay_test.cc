// SPDX-License-Identifier: BSD-3-Clause
#include "front/supervisor/restart_delay.h"

#include <gtest/gtest.h>

namespace drip::front {
namespace {

using std::chrono::milliseconds;

TEST(RestartDelay, NoneAtFirstThenTwiceAsLongEachTimeUpToTheMost) {
  RestartDelay delay;
  EXPECT_EQ(delay.next(milliseconds(5)), milliseconds(0));
  EXPECT_EQ(delay.next(milliseconds(5)), milliseconds(100));
  EXPECT_EQ(delay.next(milliseconds(9999)), milliseconds(200));
  for (int i = 0; i < 10; ++i) (void)delay.next(milliseconds(0));
  EXPECT_EQ(delay.next(milliseconds(0)), milliseconds(10'000));
}

TEST(RestartDelay, OneThatHasLivedForAWhileIsStartedAtOnce) {
  RestartDelay delay;
  for (int i = 0; i < 10; ++i) (void)delay.next(milliseconds(0));
  EXPECT_EQ(delay.next(RestartDelay::kSettled), milliseconds(0));
  EXPECT_EQ(delay.next(milliseconds(0)), milliseconds(100));
}

}  // namespace
}  // namespace drip::front
