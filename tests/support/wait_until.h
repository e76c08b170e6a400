// SPDX-License-Identifier: BSD-3-Clause
// Waits, with a bound, for what another thread or process does.
#pragma once

#include <chrono>
#include <thread>

namespace drip {

/// For a machine that is busy with other things: what is waited for mostly takes milliseconds.
inline constexpr std::chrono::seconds kWaitBound{30};

/// Waits until `condition()` is true; false if it is not within `bound`.
template <class Condition>
[[nodiscard]] bool wait_until(Condition condition, std::chrono::nanoseconds bound = kWaitBound) {
  const auto deadline = std::chrono::steady_clock::now() + bound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace drip
