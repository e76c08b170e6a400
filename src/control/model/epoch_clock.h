// SPDX-License-Identifier: BSD-3-Clause
// Converts the engine's time to milliseconds since the Unix epoch.
#pragma once

#include <chrono>
#include <cstdint>

#include "engine/engine.h"

namespace drip::control {

/// Rounded to the nearest millisecond.
[[nodiscard]] constexpr std::int64_t rounded_ms(Duration span) {
  const std::int64_t half = span.ns < 0 ? -500'000 : 500'000;
  return (span.ns + half) / 1'000'000;
}

/// Samples the offset of CLOCK_REALTIME from the engine's clock once. Make one for each reply: then
/// all times of the reply agree, and a step of the wall clock shows in the next one.
class EpochClock {
 public:
  explicit EpochClock(const Engine& engine)
      : now_(engine.now()),
        epoch_ns_(std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count()) {}

  /// The engine's time when the offset was sampled.
  [[nodiscard]] TimePoint now() const { return now_; }
  [[nodiscard]] std::int64_t epoch_ms(TimePoint time) const {
    return rounded_ms(Duration{epoch_ns(time)});
  }
  [[nodiscard]] std::int64_t epoch_ns(TimePoint time) const { return epoch_ns_ + (time - now_).ns; }

 private:
  TimePoint now_;
  std::int64_t epoch_ns_;
};

}  // namespace drip::control
