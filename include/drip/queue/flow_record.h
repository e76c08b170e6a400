// SPDX-License-Identifier: BSD-3-Clause
// One flow queue: a cache line, while the flow has packets, its turn, or AQM state.
#pragma once

#include <bit>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/queue/cobalt.h"
#include "drip/queue/queue_key.h"
#include "drip/queue/queue_slots.h"

namespace drip {

/// Where a flow is.
enum class FlowState : std::uint8_t {
  kFree,      ///< No flow: the record may be used.
  kNew,       ///< In its tin's list of new flows.
  kOld,       ///< In its tin's rounds.
  kDecaying,  ///< Has no packets and waits until its AQM state is at rest.
};

/// The leaf and the tin that a flow belongs to; part of its key, as all leaves share one table.
class FlowOwner {
 public:
  static constexpr std::uint32_t kMaxLeaf = (1U << 24) - 1;
  static constexpr std::uint32_t kEpochs = 1U << 6;

  FlowOwner() = default;
  FlowOwner(std::uint32_t leaf, std::uint32_t epoch, std::uint32_t tin)
      : bits_(leaf << 8 | epoch << 2 | tin) {}
  [[nodiscard]] std::uint32_t tin() const { return bits_ & 3; }
  [[nodiscard]] std::uint32_t bits() const { return bits_; }
  friend bool operator==(FlowOwner, FlowOwner) = default;

 private:
  std::uint32_t bits_ = 0;
};

struct alignas(kCacheLineBytes) FlowRecord {
  ShortKey key;
  FlowOwner owner;
  /// Wire bytes of its packets.
  std::uint32_t bytes = 0;
  /// What it may still send in its turn, in 2^-kDeficitShift bytes.
  std::int32_t deficit = 0;
  std::uint32_t aqm_count = 0;
  std::uint32_t aqm_drop_next = 0;
  std::uint32_t aqm_blue_time = 0;

  // The last of its packets, a circular list.
  std::uint64_t tail : 24 = kNoIndex;
  // The next one in the list of its state, a circular one.
  std::uint64_t link : 24 = kNoIndex;
  std::uint64_t aqm_probability : 16 = 0;

  // Neighbours among the flows of about as many bytes; among the decaying; among the free.
  std::uint64_t previous : 24 = kNoIndex;
  std::uint64_t next : 24 = kNoIndex;
  std::uint64_t size_class : 8 = 0;
  std::uint64_t state : 4 = 0;
  std::uint64_t aqm_dropping : 1 = 0;
  // Its hosts have records, and it is counted among their old flows.
  std::uint64_t has_hosts : 1 = 0;
  std::uint64_t counted : 1 = 0;

  // Of the table: the first flow whose hash says this record, and the next flow with the hash of
  // this one.
  std::uint64_t chain_head : 24 = kNoIndex;
  std::uint64_t chain_next : 24 = kNoIndex;

  static constexpr unsigned kDeficitShift = 10;

  [[nodiscard]] FlowState flow_state() const { return static_cast<FlowState>(state); }
  void set_state(FlowState to) { state = static_cast<std::uint64_t>(to) & 15; }
  [[nodiscard]] bool has_packets() const { return tail != kNoIndex; }

  /// Whether its AQM has anything to go on with.
  [[nodiscard]] bool has_aqm_state() const {
    return (aqm_count | static_cast<std::uint32_t>(aqm_probability)) != 0 || aqm_dropping != 0;
  }
  [[nodiscard]] CobaltState aqm() const {
    return {aqm_count, aqm_drop_next, aqm_blue_time, static_cast<std::uint16_t>(aqm_probability),
            aqm_dropping != 0};
  }
  void set_aqm(const CobaltState& aqm) {
    aqm_count = aqm.count;
    aqm_drop_next = aqm.drop_next;
    aqm_blue_time = aqm.blue_time;
    aqm_probability = aqm.drop_probability;
    aqm_dropping = aqm.dropping;
  }

  // By hosts, the key is made of their records: QueueHash::with_hosts().
  [[nodiscard]] QueueIndex source_host() const {
    return static_cast<QueueIndex>(key.high & kMaxQueueIndex);
  }
  [[nodiscard]] QueueIndex destination_host() const {
    return static_cast<QueueIndex>(key.high >> 32 & kMaxQueueIndex);
  }
};
static_assert(sizeof(FlowRecord) == kCacheLineBytes, "all that a flow costs");

}  // namespace drip
