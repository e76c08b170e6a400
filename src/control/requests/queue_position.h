// SPDX-License-Identifier: BSD-3-Clause
// Where in its bucket a request is now and how long it still waits, from a reading and its record.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "control/requests/request_index.h"
#include "drip/virtual_schedule.h"
#include "engine/engine.h"

namespace drip::control {

struct Place {
  std::uint64_t position = 0;  ///< 1 for the head.
  Duration wait;               ///< Until its service starts.
};

/// The count of admitted units before `record`, of which it keeps the low 32 bits. REQUIRES:
/// `reading` was taken after its admission, and not 2^32 admissions later.
[[nodiscard]] constexpr std::uint64_t full_sequence(std::uint32_t sequence,
                                                    const BucketStats& reading) {
  return reading.admitted -
         static_cast<std::uint32_t>(static_cast<std::uint32_t>(reading.admitted) - sequence);
}

/// In O(1). `released_behind` is what was released behind the request; those released before it
/// are gone like those that left. `head_bytes` are the head's if known: with a rate in bits and
/// departure at the END of service the head is being served now and what it takes is in `point`
/// already; if unknown, the mean of the units ahead stands in.
[[nodiscard]] inline Place place_of(std::uint32_t sequence, std::uint64_t bytes_before,
                                    const BucketStats& reading, Released released_behind,
                                    std::optional<std::uint32_t> head_bytes, Departure departure,
                                    TimePoint now) {
  const std::uint64_t gone = reading.departed + reading.dropped;
  const std::uint64_t gone_bytes = reading.departed_bytes + reading.dropped_bytes;
  const auto not_below_0 = [](std::uint64_t n) {
    // The reading's figures are of slightly different moments.
    return static_cast<std::int64_t>(n) < 0 ? 0 : n;
  };
  const std::uint64_t ahead =
      not_below_0(full_sequence(sequence, reading) + released_behind.units - gone);
  std::uint64_t bytes_ahead =
      ahead == 0 ? 0 : not_below_0(bytes_before + released_behind.bytes - gone_bytes);
  std::uint64_t served_ahead = ahead;
  if (departure == Departure::kAtEnd) {
    if (ahead == 0) return {1, Duration{}};
    bytes_ahead -= std::min(bytes_ahead, head_bytes ? *head_bytes : bytes_ahead / ahead);
    --served_ahead;
  }
  const auto service =
      static_cast<std::int64_t>(reading.periods.backlog_service(served_ahead, bytes_ahead).ns);
  const Duration wait = (reading.departure_time - now) + Duration{service};
  return {ahead + 1, std::max(wait, Duration{})};
}

}  // namespace drip::control
