// SPDX-License-Identifier: BSD-3-Clause
// One TCP connection, seen from between its ends: round-trip times and retransmissions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "drip/time.h"
#include "packet/tcp_fields.h"

namespace drip::traffic {

/// Measures the time from a segment to the first packet that echoes it, as it passes here: the
/// round trip from here to the segment's receiver and back. A segment is known again by its time
/// stamp (K. Nichols, "pping: passive ping network monitoring utility", 2017, after RFC 7323,
/// section 4), or if the connection has none by its sequence number, then without those that were
/// retransmitted (Karn and Partridge, SIGCOMM 1987). Only segments that take sequence space are
/// measured, because nothing answers a bare acknowledgment. What the receiver waits before it
/// acknowledges (RFC 9293, section 3.8.6.3) is part of the time.
///
/// Not thread safe. Time is that of the packets, which come in its order.
class TcpFlow {
 public:
  struct Finding {
    /// Of a segment of the other direction, which this packet echoes.
    std::optional<Duration> round_trip;
    bool takes_sequence = false;  ///< It has data, SYN or FIN.
    bool retransmitted = false;   ///< All of what it has was seen before.
  };

  /// A packet of direction 0 or 1.
  Finding add(std::size_t direction, const TcpFields& segment, TimePoint at);

 private:
  // Segments that were not echoed yet, oldest first. Of more the later ones are not measured.
  static constexpr std::size_t kMarks = 8;
  struct Mark {
    std::uint32_t value;  // Its time stamp, or the sequence number behind it.
    TimePoint at;
  };
  // What one end has sent.
  struct Half {
    bool begun = false;
    bool stamped = false;
    std::uint32_t next_sequence = 0;
    std::uint32_t newest_stamp = 0;
    std::size_t marks = 0;
    std::array<Mark, kMarks> mark;

    void forget(std::size_t count);
    // Of the mark that `echo` is, which is forgotten with all that are older.
    std::optional<Duration> take(std::uint32_t echo, TimePoint at);
    void remember(std::uint32_t value, TimePoint at);
  };
  static void add_segment(Half& half, const TcpFields& segment, TimePoint at, Finding& finding);

  std::array<Half, 2> halves_;
};

}  // namespace drip::traffic
