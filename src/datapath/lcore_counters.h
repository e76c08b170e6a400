// SPDX-License-Identifier: BSD-3-Clause
// Counters of one polling thread, which alone writes them. Any thread may read them.
#pragma once

#include <array>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/time.h"
#include "engine/drop_reason.h"

namespace drip::datapath {

struct alignas(kCacheLineBytes) LcoreCounters {
  Counter loops;
  Counter busy_loops;
  Counter busy_ns;  // From the begin of a busy loop to that of the next one.
  Counter jobs;     // From control, by the mailbox.
  Counter rx_packets;
  Counter passed_packets;  // Sent without shaping, control traffic included.
  // Loops that began more than kStall after the previous one.
  Counter stalls;
  Counter stalled_ns;
  Counter longest_stall_ns;
  std::array<Counter, kDropReasons> drops;
  std::array<Counter, kDropReasons> dropped_bytes;

  static constexpr Duration kStall{10'000};

  void drop(DropReason reason, std::uint64_t bytes) {
    drops[static_cast<std::size_t>(reason)].add(1);
    dropped_bytes[static_cast<std::size_t>(reason)].add(bytes);
  }
};

}  // namespace drip::datapath
