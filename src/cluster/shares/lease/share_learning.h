// SPDX-License-Identifier: BSD-3-Clause
// What a leader must wait for after Redis's data of shares were lost.
#pragma once

#include <cstdint>
#include <optional>

#include "cluster/shares/lease/share.h"
#include "drip/time.h"

namespace drip::cluster {

/// The state of Redis's data of shares as a whole.
struct ShareData {
  /// Drawn when the data began; it changes when they are lost. 0: there are none.
  std::uint64_t generation = 0;
  /// The data are new: what silent nodes still hold is unknown, and nothing is granted.
  bool learning = true;
  /// Data were lost while nodes were running: unknown safe shares may be active.
  bool safe_frozen = false;
};

/// Serves one leadership. Pure. Every span is counted from when this leader first saw the state.
class ShareLearning {
 public:
  explicit ShareLearning(LeaseTiming timing) : timing_(timing) {}

  enum class Step : std::uint8_t {
    kNone,
    /// Every node with an earlier lease has made an exchange, or its lease has ended.
    kLearned,
    /// Every safe share of earlier data has ended.
    kThawed,
  };
  /// `now`: by the leader's monotonic clock, read after the state arrived.
  [[nodiscard]] Step next(const ShareData& data, TimePoint now);

 private:
  const LeaseTiming timing_;
  std::uint64_t generation_ = 0;
  std::optional<TimePoint> learning_since_;
  std::optional<TimePoint> frozen_since_;
};

}  // namespace drip::cluster
