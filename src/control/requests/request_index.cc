// SPDX-License-Identifier: BSD-3-Clause
// The chunks of the ordered index, and the arithmetic of positions.
#include "control/requests/request_index.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace drip::control {

RequestIndex::Location RequestIndex::lower_bound(std::uint32_t sequence) const {
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& c) {
    return before(c.entries.back().request->record.sequence, sequence);
  });
  Location at{static_cast<std::size_t>(chunk - chunks_.begin()), 0};
  if (chunk == chunks_.end()) return at;
  const auto entry = std::partition_point(
      chunk->entries.begin() + static_cast<std::ptrdiff_t>(chunk->first), chunk->entries.end(),
      [&](const Entry& e) { return before(e.request->record.sequence, sequence); });
  at.entry = static_cast<std::size_t>(entry - chunk->entries.begin());
  return at;
}

void RequestIndex::insert(RequestHandle request) {
  const std::uint32_t sequence = request->record.sequence;
  ++size_;
  Location at = lower_bound(sequence);
  if (at.chunk == chunks_.size()) {
    if (chunks_.empty() || chunks_.back().entries.size() >= kChunkEntries) {
      chunks_.emplace_back();
      chunks_.back().entries.reserve(kChunkEntries);
    }
    chunks_.back().entries.push_back({std::move(request), {}});
    return;
  }
  Chunk& chunk = chunks_[at.chunk];
  chunk.entries.insert(chunk.entries.begin() + static_cast<std::ptrdiff_t>(at.entry),
                       {std::move(request), {}});
  if (chunk.size() < 2 * kChunkEntries) return;
  // Split, so that the middle stays cheap.
  const auto middle = chunk.entries.end() - static_cast<std::ptrdiff_t>(kChunkEntries);
  Chunk back;
  back.entries.assign(std::make_move_iterator(middle),
                      std::make_move_iterator(chunk.entries.end()));
  chunk.entries.erase(middle, chunk.entries.end());
  for (const Entry& entry : back.entries) back.behind = back.behind + entry.behind;
  chunk.behind = chunk.behind - back.behind;
  chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(at.chunk) + 1, std::move(back));
}

RequestHandle RequestIndex::pop_front() {
  Chunk& chunk = chunks_.front();
  Entry& entry = chunk.entries[chunk.first++];
  chunk.behind = chunk.behind - entry.behind;
  released_ = released_ - entry.behind;
  RequestHandle request = std::move(entry.request);
  --size_;
  if (chunk.size() == 0) chunks_.pop_front();
  return request;
}

RequestHandle RequestIndex::remove(const Request& request) {
  const Location at = lower_bound(request.record.sequence);
  if (at.chunk == chunks_.size()) return {};
  Chunk& chunk = chunks_[at.chunk];
  if (chunk.entries[at.entry].request.get() != &request) return {};
  const Released passed_on =
      chunk.entries[at.entry].behind + Released{1, request.record.wire_bytes};
  RequestHandle handle = std::move(chunk.entries[at.entry].request);
  chunk.behind = chunk.behind - chunk.entries[at.entry].behind;
  released_ = released_ - chunk.entries[at.entry].behind;
  chunk.entries.erase(chunk.entries.begin() + static_cast<std::ptrdiff_t>(at.entry));
  --size_;
  // The one before it counts it from now on; before the first one there is none that needs it.
  if (at.entry > chunk.first) {
    Entry& previous = chunk.entries[at.entry - 1];
    previous.behind = previous.behind + passed_on;
    chunk.behind = chunk.behind + passed_on;
    released_ = released_ + passed_on;
  } else if (at.chunk > 0) {
    Chunk& previous = chunks_[at.chunk - 1];
    previous.entries.back().behind = previous.entries.back().behind + passed_on;
    previous.behind = previous.behind + passed_on;
    released_ = released_ + passed_on;
  }
  if (chunk.size() == 0) chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(at.chunk));
  return handle;
}

Released RequestIndex::behind_from(Location at) const {
  Released sum;
  if (at.chunk == chunks_.size()) return sum;
  const Chunk& chunk = chunks_[at.chunk];
  for (std::size_t i = at.entry; i < chunk.entries.size(); ++i) {
    sum = sum + chunk.entries[i].behind;
  }
  for (std::size_t i = at.chunk + 1; i < chunks_.size(); ++i) sum = sum + chunks_[i].behind;
  return sum;
}

QueuePosition RequestIndex::position(const RequestRecord& record, Released behind,
                                     const BucketStats& stats, Departure departure,
                                     TimePoint now) const {
  const std::uint64_t left = stats.departed + stats.dropped;
  const std::uint64_t left_bytes = stats.departed_bytes + stats.dropped_bytes;
  const auto not_below_0 = [](std::uint64_t n) {
    // The counters are of slightly different moments.
    return static_cast<std::int64_t>(n) < 0 ? 0 : n;
  };
  const std::uint64_t ahead =
      not_below_0(full_sequence(record.sequence, stats) + behind.units - left);
  std::uint64_t bytes_ahead =
      ahead == 0 ? 0 : not_below_0(record.bytes_before + behind.bytes - left_bytes);
  std::uint64_t served_ahead = ahead;
  if (stats.paused) return {ahead + 1, Admission::kUnknownWait, true};
  if (departure == Departure::kAtEnd) {
    if (ahead == 0) return {1, Duration{}};
    // The head is being served now, and `departure_time` contains its service. The first of the
    // index is the head unless a packet is before it; then the mean of the units ahead stands in.
    const RequestRecord& first = front().record;
    const bool first_is_head = full_sequence(first.sequence, stats) + released_.units == left;
    bytes_ahead -= std::min(bytes_ahead, first_is_head ? first.wire_bytes : bytes_ahead / ahead);
    --served_ahead;
  }
  const auto service =
      static_cast<std::int64_t>(stats.periods.backlog_service(served_ahead, bytes_ahead).ns);
  const Duration wait = (stats.departure_time - now) + Duration{service};
  return {ahead + 1, std::max(wait, Duration{})};
}

Released RequestIndex::released_behind(std::uint32_t sequence) const {
  return behind_from(lower_bound(sequence));
}

}  // namespace drip::control
