// SPDX-License-Identifier: BSD-3-Clause
// COBALT, the AQM of one flow queue: CoDel for flows that respond to congestion, BLUE for others.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "drip/queue/ecn.h"
#include "drip/time.h"

namespace drip {

/// What COBALT does with the packet at the head.
enum class AqmVerdict : std::uint8_t { kPass, kMark, kDrop };

/// What COBALT goes by; shared by many queues.
struct CobaltParameters {
  Duration target{5'000'000};      ///< RFC 8289, section 4.4: 5 to 10 % of the interval.
  Duration interval{100'000'000};  ///< RFC 8289, section 4.3: a round-trip time, the longest usual.
  Duration over_target{5'000'000};  ///< A longer sojourn is congestion: `target`, or four packets.

  /// The longest interval: a queue's times are 32 bits of 256 ns, told apart over 549 s.
  static constexpr Duration kMaxInterval{100'000'000'000};

  /// The defaults at a rate: target max(`target`, 1.5 packets) and the interval longer by as much,
  /// at least twice the target, as sch_cake has them; congestion only beyond four packets.
  [[nodiscard]] static CobaltParameters of_rate(double bits_per_second, std::uint32_t packet_bytes,
                                                Duration target = {5'000'000},
                                                Duration interval = {100'000'000}) {
    CobaltParameters parameters{target, interval, target};
    if (bits_per_second <= 0) return parameters;
    const double packet_ns = std::min(8e9 * packet_bytes / bits_per_second, 10e9);
    parameters.target = std::max(target, {static_cast<std::int64_t>(packet_ns * 3 / 2)});
    parameters.interval =
        std::max(interval + (parameters.target - target), {2 * parameters.target.ns});
    parameters.over_target =
        std::max(parameters.target, {static_cast<std::int64_t>(packet_ns * 4)});
    return parameters;
  }
};

/// The state of one queue, 15 bytes. All of it at rest, CobaltState{}, is as good as none.
///
/// The algorithm is that of Linux' sch_cake (COBALT, "CoDel - BLUE Alternate", Palmei et al.,
/// IEEE LANMAN 2019): CoDel's control law of RFC 8289, interval / sqrt(count), where `count` is not
/// reset but runs down at the same law when the queue is well; and BLUE (Feng et al., 2002), whose
/// drop probability rises by 2^-8 at an overflow and falls by 2^-12 when the queue is empty, at
/// most once a target. Probabilities are multiples of 2^-12, so that 13 bits hold them exactly.
///
/// Times are modulo 2^32 x 256 ns. A drop_next more than two intervals ahead can only be a state
/// of long ago: it is put to rest.
struct CobaltState {
  static constexpr unsigned kTickLog2 = 8;
  static constexpr std::uint16_t kCertain = 1U << 12;  // Of drop_probability: 1.
  static constexpr std::uint16_t kIncrease = 1U << 4;  // 2^-8
  static constexpr std::uint16_t kDecrease = 1;        // 2^-12
  static constexpr std::uint32_t kMostSteps = 64;      // Of one call, to bound its time.

  std::uint32_t count = 0;      // Signals since congestion began.
  std::uint32_t drop_next = 0;  // In ticks: when the next signal is due.
  std::uint32_t blue_time = 0;  // In ticks: when drop_probability was changed last.
  std::uint16_t drop_probability = 0;
  bool dropping = false;  // The sojourn of the last packet was above the target.

  [[nodiscard]] bool at_rest() const { return (count | drop_probability) == 0; }

  /// Decides about the head, which has waited for `sojourn`. `random`: 12 or more uniform bits. The
  /// last packet of a queue is marked if it is due, and never dropped. To be called once a packet
  /// that is about to depart, never again because its egress had no room.
  template <class Random>
  AqmVerdict decide(const CobaltParameters& parameters, TimePoint now, Duration sojourn, Ecn ecn,
                    bool is_last, Random& random) {
    const bool over_target = sojourn > parameters.over_target;
    if (at_rest() && !over_target) [[likely]] {
      dropping = false;
      return AqmVerdict::kPass;
    }
    const bool marked = signal(parameters, now, over_target);
    bool drop = marked && !is_ecn_capable(ecn);
    // BLUE is for senders that do not respond, so it does not mark.
    if (drop_probability != 0) drop |= (random() & (kCertain - 1U)) < drop_probability;
    if (count != 0 && !drop && until(drop_next, now) < 0) drop_next = ticks(now);
    if (drop && !is_last) return AqmVerdict::kDrop;
    return marked && is_ecn_capable(ecn) ? AqmVerdict::kMark : AqmVerdict::kPass;
  }

  /// The queue lost its head because it was the longest of one that overflowed.
  void overflowed(const CobaltParameters& parameters, TimePoint now) {
    if (blue_is_due(parameters, now)) {
      drop_probability = std::min<std::uint16_t>(
          static_cast<std::uint16_t>(drop_probability + kIncrease), kCertain);
      blue_time = ticks(now);
    }
    dropping = true;
    drop_next = ticks(now);
    count = std::max(count, 1U);
  }

  /// The queue was served and found empty.
  void emptied(const CobaltParameters& parameters, TimePoint now) {
    dropping = false;
    if (drop_probability != 0 && blue_is_due(parameters, now)) {
      drop_probability = static_cast<std::uint16_t>(drop_probability - kDecrease);
      blue_time = ticks(now);
    }
    if (count != 0 && until(drop_next, now) <= 0) relax(parameters);
  }

  /// The same, by who does not know the parameters.
  void set_aside(TimePoint now) {
    dropping = false;
    blue_time = ticks(now);
  }

  /// What has become of the state of a queue that has been empty since emptied(): both parts run
  /// down as if it had been found empty all the time.
  void decay(const CobaltParameters& parameters, TimePoint now) {
    if (drop_probability != 0) {
      const std::uint32_t target = std::max(ticks(parameters.target), 1U);
      const std::uint32_t steps = (ticks(now) - blue_time) / target;
      drop_probability = steps >= drop_probability
                             ? std::uint16_t{0}
                             : static_cast<std::uint16_t>(drop_probability - steps);
      blue_time += steps * target;
    }
    run_down(parameters, now);
  }

 private:
  static std::uint32_t ticks(TimePoint time) {
    return static_cast<std::uint32_t>(time.ns >> kTickLog2);
  }
  static std::uint32_t ticks(Duration span) {
    return static_cast<std::uint32_t>(span.ns >> kTickLog2);
  }
  static std::int32_t ticks_signed(Duration span) { return static_cast<std::int32_t>(ticks(span)); }
  static std::int32_t until(std::uint32_t time, TimePoint now) {
    return static_cast<std::int32_t>(time - ticks(now));
  }
  // While the probability is 0, blue_time may be of any time.
  [[nodiscard]] bool blue_is_due(const CobaltParameters& parameters, TimePoint now) const {
    return drop_probability == 0 || ticks(now) - blue_time > ticks(parameters.target);
  }

  // interval / sqrt(count): exact to the tick. Linux iterates a reciprocal root by Newton's method,
  // which costs another 4 bytes a queue, may only step by one, and is off by up to 1 % below 16,
  // so that it needs a table there. This is 30 cycles, at a signal only.
  [[nodiscard]] std::uint32_t control_law(const CobaltParameters& parameters) const {
    const std::uint32_t interval = ticks(parameters.interval);
    if (count <= 1) return interval;
    return static_cast<std::uint32_t>(interval / std::sqrt(static_cast<double>(count)));
  }

  // CoDel's part: whether a signal is due.
  bool signal(const CobaltParameters& parameters, TimePoint now, bool over_target) {
    if (count != 0 && until(drop_next, now) > 2 * ticks_signed(parameters.interval)) [[unlikely]]
      *this = {};
    const bool is_due = count != 0 && until(drop_next, now) <= 0;
    if (over_target && !dropping) {
      drop_next = ticks(now) + control_law(parameters);
      count = std::max(count, 1U);
    }
    dropping = over_target;
    if (is_due && dropping) {
      count += static_cast<std::uint32_t>(count != ~0U);
      drop_next += control_law(parameters);
      return true;
    }
    if (is_due) run_down(parameters, now);
    return false;
  }
  void relax(const CobaltParameters& parameters) {
    --count;
    drop_next += control_law(parameters);
  }
  // One step down for each time that a signal would have been due.
  void run_down(const CobaltParameters& parameters, TimePoint now) {
    for (std::uint32_t steps = 0; count != 0 && until(drop_next, now) <= 0; ++steps) {
      if (steps == kMostSteps) [[unlikely]] {
        // The sum of interval / sqrt(i) for i from m to n is 2 interval (sqrt(n) - sqrt(m)).
        const double root = std::sqrt(static_cast<double>(count)) -
                            -until(drop_next, now) / (2.0 * ticks(parameters.interval));
        count = root <= 0 ? 0 : static_cast<std::uint32_t>(root * root);
        drop_next = ticks(now) + control_law(parameters);
        return;
      }
      relax(parameters);
    }
  }
};
static_assert(sizeof(CobaltState) == 16);

}  // namespace drip
