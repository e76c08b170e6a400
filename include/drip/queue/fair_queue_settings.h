// SPDX-License-Identifier: BSD-3-Clause
// The settings of a fair queue, their limits, and what a queue makes of them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "drip/bucket_settings.h"
#include "drip/internal/check_range.h"
#include "drip/queue/cobalt.h"
#include "drip/queue/queue_settings.h"
#include "drip/result.h"

namespace drip {

struct FairQueueSettings {
  std::uint32_t capacity = 1024;     ///< Packets that may wait: 1 to kMaxCapacity.
  std::uint64_t capacity_bytes = 0;  ///< Wire bytes that may wait, below 2^32; 0: no such bound.
  std::uint32_t quantum = 1514;      ///< Wire bytes a flow and round: kMinQuantum to kMaxQuantum.
  Isolation isolation = Isolation::kFlow;
  TinMode tins = TinMode::kNone;
  bool codel = false;                 ///< COBALT; without it nothing is marked but for L4S.
  Duration target{5'000'000};         ///< Sojourn that COBALT puts up with: up to `interval`.
  Duration interval{100'000'000};     ///< The longest usual round-trip time of the senders.
  Duration l4s_threshold{1'000'000};  ///< ECT(1) is marked beyond this sojourn; 0: as ECT(0).
  Duration max_wait;                  ///< What has waited longer is dropped; 0: no such bound.
  /// Of the leaf, and the largest packet: the defaults of COBALT follow from them where they are
  /// slower than `target` allows. 0: not known.
  double bits_per_second = 0;
  std::uint32_t packet_bytes = 1514;
};

[[nodiscard]] inline std::optional<Error> check(const FairQueueSettings& settings) {
  using internal::check_range;
  if (auto error = check_range("capacity", settings.capacity, 1U, kMaxCapacity)) return error;
  if (auto error = check_range("capacity_bytes", settings.capacity_bytes, std::uint64_t{0},
                               std::uint64_t{0xffff'ffff})) {
    return error;
  }
  if (auto error = check_range("quantum", settings.quantum, kMinQuantum, kMaxQuantum)) return error;
  if (auto error = check_range("interval_ns", settings.interval.ns, std::int64_t{1'000},
                               CobaltParameters::kMaxInterval.ns)) {
    return error;
  }
  if (auto error =
          check_range("target_ns", settings.target.ns, std::int64_t{1'000}, settings.interval.ns)) {
    return error;
  }
  if (auto error = check_range("l4s_threshold_ns", settings.l4s_threshold.ns, std::int64_t{0},
                               kMaxMaxWait.ns)) {
    return error;
  }
  return check_range("max_wait_ns", settings.max_wait.ns, std::int64_t{0}, kMaxMaxWait.ns);
}

/// What the queue goes by: made from the settings once, and shared by all leaves that have them.
struct FairQueueProfile {
  std::array<CobaltParameters, kMaxTins> aqm;
  Tins tins;
  FairQueueSettings settings;
  /// Up to this sojourn nothing is to be marked or dropped of a flow without AQM state; the second
  /// one is that of ECT(1).
  std::array<Duration, 2> careless{};

  /// REQUIRES: check(settings) has no error.
  static FairQueueProfile of(const FairQueueSettings& settings) {
    FairQueueProfile profile{{}, tins_of(settings.tins), settings, {kMaxMaxWait, kMaxMaxWait}};
    if (profile.settings.capacity_bytes == 0) profile.settings.capacity_bytes = 0xffff'ffff;
    // Also of tins that there are not: flows from before a change may be in them.
    for (std::size_t tin = 0; tin < kMaxTins; ++tin) {
      const auto share = static_cast<double>(1U << profile.tins.share_log2[tin]);
      profile.aqm[tin] =
          CobaltParameters::of_rate(settings.bits_per_second / share, settings.packet_bytes,
                                    settings.target, settings.interval);
    }
    // The first tin has the largest share, so the lowest threshold.
    if (settings.codel) profile.careless.fill(profile.aqm[0].over_target);
    if (settings.l4s_threshold.ns > 0) profile.careless[1] = settings.l4s_threshold;
    return profile;
  }
};

}  // namespace drip
