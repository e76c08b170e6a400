// SPDX-License-Identifier: BSD-3-Clause
// The chunked line of requests.
#include "control/requests/request_index.h"

#include <algorithm>
#include <iterator>

namespace drip::control {

RequestIndex::Spot RequestIndex::lower_bound(std::uint32_t sequence) const {
  const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(), [&](const Chunk& c) {
    return before(c.entries.back().request->record.sequence, sequence);
  });
  Spot spot{static_cast<std::size_t>(chunk - chunks_.begin()), 0};
  if (chunk == chunks_.end()) return spot;
  const auto entry = std::partition_point(
      chunk->entries.begin() + static_cast<std::ptrdiff_t>(chunk->first), chunk->entries.end(),
      [&](const Entry& e) { return before(e.request->record.sequence, sequence); });
  spot.entry = static_cast<std::size_t>(entry - chunk->entries.begin());
  return spot;
}

void RequestIndex::insert(RequestHandle request) {
  const std::uint32_t sequence = request->record.sequence;
  ++size_;
  Spot spot = lower_bound(sequence);
  if (spot.chunk == chunks_.size()) {
    if (chunks_.empty() || chunks_.back().entries.size() >= kChunkEntries) {
      chunks_.emplace_back();
      chunks_.back().entries.reserve(kChunkEntries);
    }
    chunks_.back().entries.push_back({std::move(request), {}});
    return;
  }
  Chunk& chunk = chunks_[spot.chunk];
  chunk.entries.insert(chunk.entries.begin() + static_cast<std::ptrdiff_t>(spot.entry),
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
  chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(spot.chunk) + 1, std::move(back));
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
  const Spot spot = lower_bound(request.record.sequence);
  if (spot.chunk == chunks_.size()) return {};
  Chunk& chunk = chunks_[spot.chunk];
  if (chunk.entries[spot.entry].request.get() != &request) return {};
  const Released passed_on =
      chunk.entries[spot.entry].behind + Released{1, request.record.wire_bytes};
  RequestHandle handle = std::move(chunk.entries[spot.entry].request);
  chunk.behind = chunk.behind - chunk.entries[spot.entry].behind;
  released_ = released_ - chunk.entries[spot.entry].behind;
  chunk.entries.erase(chunk.entries.begin() + static_cast<std::ptrdiff_t>(spot.entry));
  --size_;
  // The one before it counts it from now on; nobody is before the first one who would ask.
  if (spot.entry > chunk.first) {
    Entry& previous = chunk.entries[spot.entry - 1];
    previous.behind = previous.behind + passed_on;
    chunk.behind = chunk.behind + passed_on;
    released_ = released_ + passed_on;
  } else if (spot.chunk > 0) {
    Chunk& previous = chunks_[spot.chunk - 1];
    previous.entries.back().behind = previous.entries.back().behind + passed_on;
    previous.behind = previous.behind + passed_on;
    released_ = released_ + passed_on;
  }
  if (chunk.size() == 0) chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(spot.chunk));
  return handle;
}

Released RequestIndex::behind_from(Spot spot) const {
  Released sum;
  if (spot.chunk == chunks_.size()) return sum;
  const Chunk& chunk = chunks_[spot.chunk];
  for (std::size_t i = spot.entry; i < chunk.entries.size(); ++i) {
    sum = sum + chunk.entries[i].behind;
  }
  for (std::size_t i = spot.chunk + 1; i < chunks_.size(); ++i) sum = sum + chunks_[i].behind;
  return sum;
}

Released RequestIndex::released_behind(std::uint32_t sequence) const {
  return behind_from(lower_bound(sequence));
}

}  // namespace drip::control
