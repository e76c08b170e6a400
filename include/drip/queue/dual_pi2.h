// SPDX-License-Identifier: BSD-3-Clause
// DualPI2: the probabilities with which the two queues of L4S are marked and dropped.
#pragma once

#include <algorithm>
#include <cstdint>

#include "drip/time.h"

namespace drip {

/// RFC 9332, appendix A.1.
struct DualPi2Parameters {
  Duration target{15'000'000};  ///< Of the classic queue.
  Duration update{16'000'000};  ///< How often the probability is changed.
  double alpha = 0.16;          ///< Hz: for the distance from the target.
  double beta = 3.2;            ///< Hz: for the change since the last update.
  double coupling = 2;          ///< k: the L4S queue is marked with k p', classic with p'^2.
  Duration l4s_threshold{
      1'000'000};      ///< Of the L4S queue; marked with certainty from the range on.
  Duration l4s_range;  ///< The ramp begins at the threshold; 0: a step.
};

/// The proportional integral controller of one queue, and what follows from its p'.
///
/// It needs no timer: advance() makes up for the updates since it was called last, so it has to be
/// called before each change of the queue, and then does what a timer would have done. A
/// probability p is not drawn: it is added up, and each time the sum passes 1 a packet is hit
/// (recur() of RFC 9332), so that hits do not bunch.
class DualPi2 {
 public:
  /// Updates that are made up for one by one; an unserved queue reaches p' = 1 in fewer.
  static constexpr std::uint32_t kMostUpdates = 64;

  explicit DualPi2(TimePoint now, const DualPi2Parameters& parameters)
      : next_update_(now + parameters.update) {}

  /// Makes up for the updates until now. `waits`: whether a packet waits, and since when, of both
  /// queues the older one.
  void advance(const DualPi2Parameters& parameters, TimePoint now, bool waits, TimePoint since) {
    if (now < next_update_) [[likely]]
      return;
    const auto updates =
        static_cast<std::uint64_t>((now - next_update_).ns / parameters.update.ns) + 1;
    const auto each = static_cast<std::uint32_t>(std::min<std::uint64_t>(updates, kMostUpdates));
    for (std::uint32_t i = 0; i < each; ++i) {
      const bool waited = waits && since < next_update_;
      update(parameters, waited ? next_update_ - since : Duration{});
      next_update_ = next_update_ + parameters.update;
    }
    const std::uint64_t more = updates - each;
    if (more == 0) return;
    // Without a packet p' falls by the same each time. With one, it is 1 by now.
    if (!waits) {
      const double step = parameters.alpha * seconds(parameters.target);
      base_ = std::max(0.0, base_ - static_cast<double>(more) * step);
    } else {
      base_ = 1;
    }
    next_update_ = next_update_ + Duration{static_cast<std::int64_t>(more) * parameters.update.ns};
    last_delay_ =
        waits && since < next_update_ ? next_update_ - since - parameters.update : Duration{};
    publish(parameters);
  }

  /// p' of the controller, from 0 to 1.
  [[nodiscard]] double base_probability() const { return base_; }
  /// The L4S queue would have to be marked with more than certainty: it is dropped from as well,
  /// and the classic queue is not marked any more (appendix A.2).
  [[nodiscard]] bool overloaded() const { return coupled_ >= kOne; }

  /// Whether the classic queue's packet is to be hit.
  [[nodiscard]] bool hits_classic() { return recur(classic_sum_, classic_); }
  /// Whether the L4S queue's packet is to be dropped, under overload.
  [[nodiscard]] bool hits_l4s_as_classic() { return recur(l4s_sum_, classic_); }
  /// Whether the L4S queue's packet is to be marked that has waited for `sojourn`.
  [[nodiscard]] bool marks_l4s(const DualPi2Parameters& parameters, Duration sojourn) {
    return recur(l4s_sum_, std::max(coupled_, native(parameters, sojourn)));
  }

 private:
  static constexpr std::uint64_t kOne = std::uint64_t{1} << 32;  // Of probabilities.

  static double seconds(Duration span) { return static_cast<double>(span.ns) * 1e-9; }
  static bool recur(std::uint64_t& sum, std::uint64_t probability) {
    sum += probability;
    if (sum <= kOne) return false;
    sum -= kOne;
    return true;
  }
  static std::uint64_t native(const DualPi2Parameters& parameters, Duration sojourn) {
    const std::int64_t above = sojourn.ns - parameters.l4s_threshold.ns;
    if (above <= 0) return 0;
    if (above >= parameters.l4s_range.ns) return kOne;
    return static_cast<std::uint64_t>(static_cast<double>(kOne) * static_cast<double>(above) /
                                      static_cast<double>(parameters.l4s_range.ns));
  }
  void update(const DualPi2Parameters& parameters, Duration delay) {
    const double change = parameters.alpha * seconds(delay - parameters.target) +
                          parameters.beta * seconds(delay - last_delay_);
    base_ = std::clamp(base_ + change, 0.0, 1.0);
    last_delay_ = delay;
    publish(parameters);
  }
  void publish(const DualPi2Parameters& parameters) {
    const auto scaled = [](double probability) {
      return static_cast<std::uint64_t>(static_cast<double>(kOne) * std::min(probability, 1.0));
    };
    classic_ = scaled(base_ * base_);
    coupled_ = scaled(base_ * parameters.coupling);
  }

  double base_ = 0;
  Duration last_delay_;
  TimePoint next_update_;
  std::uint64_t classic_ = 0;  // p'^2
  std::uint64_t coupled_ = 0;  // k p'
  std::uint64_t classic_sum_ = 0;
  std::uint64_t l4s_sum_ = 0;
};

}  // namespace drip
