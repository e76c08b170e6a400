// SPDX-License-Identifier: BSD-3-Clause
// How long to wait before a process that has ended is started again.
#pragma once

#include <chrono>

namespace drip::front {

/// None after one that has lived for kSettled; each further one in a row waits twice as long as the
/// one before, so that a process that cannot live does not take the machine's time.
class RestartDelay {
 public:
  static constexpr std::chrono::milliseconds kSettled{10'000};
  static constexpr std::chrono::milliseconds kFirst{100};
  static constexpr std::chrono::milliseconds kMost{10'000};

  /// After a process that has lived for so long.
  [[nodiscard]] std::chrono::milliseconds next(std::chrono::milliseconds lived);

 private:
  std::chrono::milliseconds delay_{0};
};

}  // namespace drip::front
