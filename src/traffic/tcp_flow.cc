// SPDX-License-Identifier: BSD-3-Clause
#include "traffic/tcp_flow.h"

#include <algorithm>

namespace drip::traffic {
namespace {

// Both sequence numbers and time stamps wrap: RFC 9293, section 3.4; RFC 7323, section 5.2.
std::int32_t distance(std::uint32_t from, std::uint32_t to) {
  return static_cast<std::int32_t>(to - from);
}

}  // namespace

void TcpFlow::Half::forget(std::size_t count) {
  std::copy(mark.begin() + static_cast<std::ptrdiff_t>(count),
            mark.begin() + static_cast<std::ptrdiff_t>(marks), mark.begin());
  marks -= count;
}

std::optional<Duration> TcpFlow::Half::take(std::uint32_t echo, TimePoint at) {
  std::size_t older = 0;
  while (older < marks && distance(mark[older].value, echo) > 0) ++older;
  std::optional<Duration> span;
  if (older < marks && mark[older].value == echo) span = at - mark[older++].at;
  forget(older);
  return span;
}

void TcpFlow::Half::remember(std::uint32_t value, TimePoint at) {
  if (marks < kMarks) mark[marks++] = {value, at};
}

TcpFlow::Finding TcpFlow::add(std::size_t direction, const TcpFields& segment, TimePoint at) {
  Finding finding;
  Half& own = halves_[direction];
  Half& other = halves_[1 - direction];
  // The ports are used again. A SYN that is sent again has the same number.
  const std::uint32_t end = segment.sequence + segment.length;
  if (segment.syn && !segment.ack && own.begun && own.next_sequence != end) halves_ = {};
  if (segment.ack) {
    if (other.stamped != segment.timestamps) other.marks = 0;
    finding.round_trip =
        other.take(segment.timestamps ? segment.ts_echo : segment.acknowledgment, at);
  }
  if (segment.length > 0) add_segment(own, segment, at, finding);
  return finding;
}

void TcpFlow::add_segment(Half& half, const TcpFields& segment, TimePoint at, Finding& finding) {
  finding.takes_sequence = true;
  const std::uint32_t end = segment.sequence + segment.length;
  const bool is_new = !half.begun || distance(half.next_sequence, end) > 0;
  const bool newer_stamp =
      segment.timestamps &&
      (!half.begun || !half.stamped || distance(half.newest_stamp, segment.ts_value) > 0);
  if (!is_new) {
    // One byte again is how some stacks ask whether the other end is there (RFC 9293, 3.8.4). An
    // older time stamp tells that the network has reordered packets.
    const bool asks =
        segment.length == 1 && !segment.syn && !segment.fin && end == half.next_sequence;
    const bool reordered =
        segment.timestamps && half.stamped && distance(half.newest_stamp, segment.ts_value) < 0;
    finding.retransmitted = !asks && !reordered;
  }
  if (segment.timestamps) {
    if (newer_stamp) {
      half.newest_stamp = segment.ts_value;
      half.remember(segment.ts_value, at);
    }
  } else if (is_new) {
    half.remember(end, at);
  } else if (finding.retransmitted) {
    half.marks = 0;
  }
  half.stamped = segment.timestamps;
  half.begun = true;
  if (is_new) half.next_sequence = end;
}

}  // namespace drip::traffic
