// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a packet that does not depart, and which one departs next.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

#include "drip/time.h"
#include "drip/unit_ref.h"

namespace drip {

/// Why a queue drops a packet.
enum class QueueDrop : std::uint8_t {
  kOverflow,  ///< The queue was full: the head of its longest flow; the newcomer of a DualQueue.
  kAqm,       ///< The AQM signals congestion to a sender without ECN, or to none that responds.
  kMaxWait,   ///< It has waited for longer than max_wait.
  kNoMemory,  ///< The core's pools are used up: it was not queued.
  kQueueRemoved,  ///< The queue was removed with what waited in it.
};
inline constexpr std::size_t kQueueDrops = 5;

/// Where dropped packets go: `dropped(unit, reason)` takes the packet over.
template <class T>
concept QueueDropSink = requires(T sink, UnitRef unit, QueueDrop reason) {
  { sink.dropped(unit, reason) } -> std::same_as<void>;
};

/// The packet that departs next.
struct QueueHead {
  enum class Status : std::uint8_t {
    kPacket,  ///< There is one.
    kEmpty,   ///< No packet waits.
    kAgain,   ///< Much was dropped or put away: to bound a call's time, ask again.
  };
  Status status = Status::kEmpty;
  bool mark = false;  ///< To be marked Congestion Experienced when it departs.
  UnitRef unit{};
  TimePoint arrival{};  ///< Up to 63 ns before it was queued.
};

}  // namespace drip
