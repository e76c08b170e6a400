// SPDX-License-Identifier: BSD-3-Clause
// Holds the TSC line to CLOCK_MONOTONIC_RAW: tells drift from jumps and from a changed TSC rate.
#pragma once

#include <cstdint>

#include "datapath/clock/tsc_line.h"
#include "drip/time.h"

namespace drip::datapath {

/// Readings of the clocks at one moment.
struct ClockSample {
  std::uint64_t tsc = 0;
  std::uint64_t raw_ns = 0;        ///< CLOCK_MONOTONIC_RAW: the reference of the rate.
  std::uint64_t monotonic_ns = 0;  ///< CLOCK_MONOTONIC: tells which of the other two has jumped.
  std::uint64_t uncertainty = 0;   ///< Ticks between the first reading and the last.
};

/// What the last samples have shown. Told once it is certain, one or two samples after it happened.
struct ClockEvent {
  enum class Kind : std::uint8_t {
    kNone,
    kReferenceJump,  ///< CLOCK_MONOTONIC_RAW moved by `jump` against the TSC and CLOCK_MONOTONIC.
    kTscJump,        ///< The TSC moved by `jump` against both.
    kRateChange,     ///< The TSC has a new rate, `rate_ppm` above the one before.
  };
  Kind kind = Kind::kNone;
  Duration jump;
  double rate_ppm = 0;
};

/// A loop that only corrects an offset takes a jump for a long drift, and runs every rate at its
/// limit until the jump is made up for. No crystal drifts by more than some hundred ppm, so a
/// larger disagreement is a jump or another rate. After a jump the line goes on from where it is,
/// and the offset is measured from there on. A rate that has changed is taken over when two
/// intervals in a row have measured the same. Through all of it the line does not go back from
/// sample to sample.
///
/// Pure arithmetic, no clock is read here. One thread.
class ClockDiscipline {
 public:
  /// Calibrates by two samples, which should be 50 ms or more apart.
  ClockDiscipline(const ClockSample& first, const ClockSample& second);

  /// To be called every 50 ms to 2 s. The line may be another one afterwards.
  ClockEvent update(const ClockSample& now);

  [[nodiscard]] const TscLine& line() const { return line_; }
  /// Ticks a second, as measured.
  [[nodiscard]] double tsc_hz() const { return hz_; }
  /// Drip's time less the reference. Jumps of the reference are not part of it.
  [[nodiscard]] Duration offset(const ClockSample& sample) const;

 private:
  static double hz_between(const ClockSample& from, const ClockSample& to);

  double hz_;
  TscLine line_;
  std::uint64_t reference_base_ = 0;  ///< Drip's time = raw + this, but for the offset.
  ClockSample last_;
  // The rate is measured from `anchor_`, which is 32 to 64 s old once the clock is: long enough to
  // be exact to some 10^-9, short enough to follow a crystal's temperature.
  ClockSample anchor_;
  ClockSample next_anchor_;
  // Rate of the interval before, if that disagreed with hz_; 0 else. And the jump that it would be.
  double suspected_hz_ = 0;
  ClockEvent suspected_;
};

}  // namespace drip::datapath
