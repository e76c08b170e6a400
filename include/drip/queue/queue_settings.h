// SPDX-License-Identifier: BSD-3-Clause
// How packets wait in a bucket: in which order they depart, and what an AQM does about it.
#pragma once

#include <compare>
#include <cstdint>

#include "drip/queue/queue_key.h"
#include "drip/queue/tins.h"
#include "drip/time.h"

namespace drip {

enum class QueueKind : std::uint8_t {
  kFifo,  ///< First in, first out.
  kFair,  ///< A queue for each flow, and DRR++ among them (RFC 8290).
};

/// Active queue management: tells senders of congestion before the queue is full.
enum class Aqm : std::uint8_t {
  kNone,
  kCodel,    ///< COBALT of CAKE: CoDel (RFC 8289) and BLUE, for each flow of a fair queue.
  kDualPi2,  ///< RFC 9332: a queue for L4S and one for classic senders. For kFifo.
};

inline constexpr std::uint32_t kMinQuantum = 64;
inline constexpr std::uint32_t kMaxQuantum = 65'535;
/// A packet's wait is known up to 4.9 hours.
inline constexpr Duration kMaxMaxWait{3'600'000'000'000};

struct QueueSettings {
  QueueKind kind = QueueKind::kFifo;
  Isolation isolation = Isolation::kFlow;  ///< What kFair is fair to; not kNone.
  TinMode tins = TinMode::kNone;           ///< Not with kDualPi2.
  Aqm aqm = Aqm::kNone;
  bool wash = false;             ///< Packets lose their DSCP once it has chosen their tin.
  std::uint32_t quantum = 1514;  ///< kFair: wire bytes a flow and round.
  /// The wait that the AQM puts up with; 0: 5 ms with CoDel, 15 ms with DualPI2.
  Duration target;
  Duration interval{100'000'000};     ///< CoDel: the longest usual round-trip time.
  Duration l4s_threshold{1'000'000};  ///< ECT(1) is marked beyond this wait. CoDel: 0: as ECT(0).
  Duration max_wait;                  ///< What has waited longer is dropped; 0: no such bound.

  /// The ring alone: nothing but first in, first out.
  [[nodiscard]] bool is_plain() const {
    return kind == QueueKind::kFifo && tins == TinMode::kNone && aqm == Aqm::kNone && !wash &&
           max_wait.ns == 0;
  }
  [[nodiscard]] Duration effective_target() const {
    constexpr Duration kCodelTarget{5'000'000};
    constexpr Duration kDualPi2Target{15'000'000};
    if (target.ns != 0) return target;
    return aqm == Aqm::kDualPi2 ? kDualPi2Target : kCodelTarget;
  }
  friend auto operator<=>(const QueueSettings&, const QueueSettings&) = default;
};

}  // namespace drip
