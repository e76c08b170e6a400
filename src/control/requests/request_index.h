// SPDX-License-Identifier: BSD-3-Clause
// The ordered index of one bucket's waiting requests, and their positions in the queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "control/model/request_queues.h"
#include "control/requests/request_pool.h"
#include "drip/bucket_settings.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::control {

/// How many requests were released before their turn, and the wire bytes that waited there.
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

/// The count of admitted units before a request, of which its record keeps the low 32 bits.
/// REQUIRES: `stats` were read after its admission, and not 2^32 admissions later.
[[nodiscard]] constexpr std::uint64_t full_sequence(std::uint32_t sequence,
                                                    const BucketStats& stats) {
  return stats.admitted -
         static_cast<std::uint32_t>(static_cast<std::uint32_t>(stats.admitted) - sequence);
}

/// Ordered by record.sequence. A bucket tells how many units have left it, but not whether a
/// released one was before or behind a given request. So each entry counts those that were released
/// between it and the next one, and positions are exact.
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
  [[nodiscard]] Request& front() const {
    return *chunks_.front().entries[chunks_.front().first].request;
  }
  /// REQUIRES: !empty().
  RequestHandle pop_front();
  /// Removes a request that was released. Empty if it is not there.
  RequestHandle remove(const Request& request);

  /// What was released behind the first request. O(1).
  [[nodiscard]] Released released() const { return released_; }
  /// What was released behind the unit with this sequence number.
  [[nodiscard]] Released released_behind(std::uint32_t sequence) const;

  /// The position of a request in its bucket's queue and its wait, in O(1). `behind` is what was
  /// released behind it; what was released before it has left the bucket as departed units have.
  /// REQUIRES: !empty(), and `stats` were read after its admission.
  [[nodiscard]] QueuePosition position(const RequestRecord& record, Released behind,
                                       const BucketStats& stats, Departure departure,
                                       TimePoint now) const;

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
  struct Location {
    std::size_t chunk = 0;
    std::size_t entry = 0;
  };

  static bool before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
  }
  // The first entry that is not before `sequence`; chunk == chunks_.size() if there is none.
  [[nodiscard]] Location lower_bound(std::uint32_t sequence) const;
  [[nodiscard]] Released behind_from(Location at) const;

  std::deque<Chunk> chunks_;  // None is empty.
  std::size_t size_ = 0;
  Released released_;  // Sum over all chunks.
};

template <typename Visitor>
void RequestIndex::visit_from(std::uint32_t sequence, Visitor visit) const {
  Location at = lower_bound(sequence);
  Released behind = behind_from(at);
  for (; at.chunk < chunks_.size(); ++at.chunk) {
    const Chunk& chunk = chunks_[at.chunk];
    for (; at.entry < chunk.entries.size(); ++at.entry) {
      const Entry& entry = chunk.entries[at.entry];
      if (!visit(*entry.request, behind)) return;
      behind = behind - entry.behind;
    }
    at.entry = at.chunk + 1 < chunks_.size() ? chunks_[at.chunk + 1].first : 0;
  }
}

}  // namespace drip::control
