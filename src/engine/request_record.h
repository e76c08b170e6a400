// SPDX-License-Identifier: BSD-3-Clause
// What control and the transmitter both know of one request while it waits.
#pragma once

#include <atomic>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/time.h"

namespace drip {

/// Control makes the record and keeps it until `state` says that the request has ended; meanwhile a
/// bucket's ring refers to it by address. It begins on a cache line, as a UnitRef requires.
struct alignas(kCacheLineBytes) RequestRecord {
  enum class State : std::uint32_t {
    kIdle,      ///< Control writes: not in any bucket.
    kQueued,    ///< The transmitter writes, at admission.
    kDeparted,  ///< The transmitter writes, at departure; the record is control's again.
    kDropped,   ///< The transmitter writes, when the bucket was deleted with DROP; likewise.
    kStopped,   ///< The transmitter writes, when the node stopped before its turn; likewise.
    kReleased,  ///< The transmitter writes, when control released the request; likewise.
  };
  /// Written with release after, and read with acquire before, the fields below.
  std::atomic<State> state{State::kIdle};

  // The transmitter writes these before kQueued ...
  std::uint32_t wire_bytes = 0;
  std::uint32_t sequence = 0;      ///< The bucket's count of admitted units before it, modulo 2^32.
  std::uint32_t place = 0;         ///< Its sequence in the bucket's ring; the transmitter's own.
  std::uint64_t bytes_before = 0;  ///< The bucket's count of admitted wire bytes before it.
  TimePoint arrival;
  // ... and these before the states after it.
  TimePoint departed;
  Duration lateness;

  Duration remember;  ///< Control's own: how long its id is known after its departure.

  [[nodiscard]] bool ended() const {
    const State now = state.load(std::memory_order_acquire);
    return now != State::kIdle && now != State::kQueued;
  }
};

}  // namespace drip
