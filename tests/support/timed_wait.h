// SPDX-License-Identifier: BSD-3-Clause
// wait_until() that fails the test at its bound, and prints how long it took.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <string>

#include "support/wait_until.h"

namespace drip {

/// Waits until `condition()` is true: how long that took. `description` says in the output what
/// was waited for.
template <class Condition>
std::chrono::milliseconds wait_until(const std::string& description, Condition condition) {
  const auto begin = std::chrono::steady_clock::now();
  const bool holds = wait_until(condition);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  EXPECT_TRUE(holds) << "not within " << kWaitBound.count() << " s: " << description;
  std::cout << "waited " << took.count() << " ms: " << description << "\n";
  return took;
}

}  // namespace drip
