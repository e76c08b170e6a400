// SPDX-License-Identifier: BSD-3-Clause
// The requests of one bucket in the order of their places, and what was released between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "control/requests/request_pool.h"

namespace drip::control {

/// How many places were given up, and the wire bytes that waited there.
struct Released {
  std::uint64_t units = 0;
  std::uint64_t bytes = 0;

  friend Released operator+(Released a, Released b) {
    return {a.units + b.units, a.bytes + b.bytes};
  }
  friend Released operator-(Released a, Released b) {
    return {a.units - b.units, a.bytes - b.bytes};
  }
};

/// Ordered by record.sequence. A bucket tells how many units are gone, but not whether a released
/// one was before or behind a given request; so each entry counts those between it and the next
/// one, and a request's place is exact (see place.h).
///
/// Entries are in chunks with sums, so that for n requests all is O(1) at both ends and O(n/256 +
/// 256) in the middle. REQUIRES: the sequences in it span less than 2^31. Not thread safe.
class RequestIndex {
 public:
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  /// Usually at the end; answers of two polling threads' callers may overtake one another.
  void insert(RequestHandle request);
  /// REQUIRES: !empty().
  [[nodiscard]] Request& front() { return *chunks_.front().entries[chunks_.front().first].request; }
  /// REQUIRES: !empty().
  RequestHandle pop_front();
  /// Takes out a request that was released. Empty if it is not there.
  RequestHandle remove(const Request& request);

  /// What was released behind the first request. O(1).
  [[nodiscard]] Released released() const { return released_; }
  /// What was released behind the unit with this sequence number.
  [[nodiscard]] Released released_behind(std::uint32_t sequence) const;

  /// Calls visit(request, released behind it) from the first request at or behind `sequence` on,
  /// until it returns false.
  template <typename Visitor>
  void visit_from(std::uint32_t sequence, Visitor visit) const;

 private:
  static constexpr std::size_t kChunkEntries = 256;

  struct Entry {
    RequestHandle request;
    Released behind;  // Released between it and the next entry.
  };
  struct Chunk {
    std::vector<Entry> entries;
    std::size_t first = 0;  // Entries before it were popped.
    Released behind;        // Sum over its entries.
    [[nodiscard]] std::size_t size() const { return entries.size() - first; }
  };
  struct Spot {
    std::size_t chunk = 0;
    std::size_t entry = 0;
  };

  static bool before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
  }
  // The first entry that is not before `sequence`; chunk == chunks_.size() if there is none.
  [[nodiscard]] Spot lower_bound(std::uint32_t sequence) const;
  [[nodiscard]] Released behind_from(Spot spot) const;

  std::deque<Chunk> chunks_;  // None is empty.
  std::size_t size_ = 0;
  Released released_;  // Sum over all chunks.
};

template <typename Visitor>
void RequestIndex::visit_from(std::uint32_t sequence, Visitor visit) const {
  Spot spot = lower_bound(sequence);
  Released behind = behind_from(spot);
  for (; spot.chunk < chunks_.size(); ++spot.chunk) {
    const Chunk& chunk = chunks_[spot.chunk];
    for (; spot.entry < chunk.entries.size(); ++spot.entry) {
      const Entry& entry = chunk.entries[spot.entry];
      if (!visit(*entry.request, behind)) return;
      behind = behind - entry.behind;
    }
    spot.entry = spot.chunk + 1 < chunks_.size() ? chunks_[spot.chunk + 1].first : 0;
  }
}

}  // namespace drip::control
