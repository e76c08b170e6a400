// SPDX-License-Identifier: BSD-3-Clause
// The flows of one per-flow rule on one transmitter.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "datapath/flows/flow_hash_table.h"
#include "drip/bucket_ring.h"
#include "drip/counter.h"
#include "drip/sequence_lock.h"
#include "engine/commands.h"
#include "packet/flow_key.h"

namespace drip::datapath {

/// Bounds the flows of one rule over all transmitters.
class FlowLimit {
 public:
  explicit FlowLimit(std::uint32_t max_flows) : max_flows_(max_flows) {}

  /// Counts one flow more. False if the limit is reached.
  [[nodiscard]] bool acquire() {
    if (flows_.fetch_add(1, std::memory_order_relaxed) < max_flows_) return true;
    release();
    return false;
  }
  void release() { flows_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const std::uint32_t max_flows_;
  std::atomic<std::uint32_t> flows_{0};
};

/// Flow keys and their flow numbers, and a bucket slot and a ring for each flow number. Control
/// makes it with slots and rings for max_flows flows and gives it to the transmitter, which alone
/// changes it from then on. Control may read counters and keys at any time, and frees it once
/// `retired`.
class FlowTable {
 public:
  FlowTable(const FlowRuleSettings& flow_settings, std::shared_ptr<FlowLimit> flow_limit,
            std::vector<std::uint32_t> bucket_slots, RingEntry* ring_memory,
            std::uint32_t ring_slot_count)
      : settings(flow_settings),
        slots(std::move(bucket_slots)),
        rings(ring_memory),
        ring_slots(ring_slot_count),
        by_key(static_cast<std::uint32_t>(slots.size())),
        limit(std::move(flow_limit)),
        keys_(std::make_unique<PublishedKey[]>(slots.size())) {
    free_.reserve(slots.size());
    for (auto flow = static_cast<std::uint32_t>(slots.size()); flow-- > 0;) free_.push_back(flow);
  }

  FlowRuleSettings settings;
  const std::vector<std::uint32_t> slots;  ///< Bucket slot by flow number.
  RingEntry* const rings;
  const std::uint32_t ring_slots;  ///< For each flow.
  FlowHashTable by_key;            ///< Key to flow number.
  std::shared_ptr<FlowLimit> limit;
  std::uint32_t sweep_cursor = 0;
  bool retiring = false;             ///< No new flows; see FlowBuckets::retire_table().
  std::atomic<bool> retired{false};  ///< The transmitter does not use it any more.
  Counter flows;
  Counter created;
  Counter refused;

  /// Adds a flow and returns its number; nothing if there is no room. REQUIRES: `key` is not in the
  /// table.
  [[nodiscard]] std::optional<std::uint32_t> add(const FlowKey& key, std::uint32_t hash) {
    if (retiring || free_.empty() || !limit->acquire()) {
      refused.add(1);
      return std::nullopt;
    }
    const std::uint32_t flow = free_.back();
    if (by_key.insert(key, hash, flow) != FlowHashTable::Insert::kDone) {
      limit->release();
      refused.add(1);
      return std::nullopt;
    }
    free_.pop_back();
    keys_[flow].publish(key);
    flows.add(1);
    created.add(1);
    return flow;
  }
  /// Frees a flow number. REQUIRES: its key was erased from `by_key`.
  void release(std::uint32_t flow) {
    keys_[flow].withdraw();
    free_.push_back(flow);
    limit->release();
    flows.set(flows.get() - 1);
  }
  /// The key of a flow number, if it is in use. Any thread.
  [[nodiscard]] std::optional<FlowKey> key_of(std::uint32_t flow) const {
    return keys_[flow].read();
  }

 private:
  // Under a sequence lock, so that readers never see half a key.
  class PublishedKey {
   public:
    void publish(const FlowKey& key) {
      const FlowKey::Words words = key.words();
      lock_.begin_write();
      for (std::size_t i = 0; i < words.size(); ++i) {
        words_[i].store(words[i], std::memory_order_relaxed);
      }
      used_.store(true, std::memory_order_relaxed);
      lock_.end_write();
    }
    void withdraw() {
      lock_.begin_write();
      used_.store(false, std::memory_order_relaxed);
      lock_.end_write();
    }
    [[nodiscard]] std::optional<FlowKey> read() const {
      for (;;) {
        const std::uint32_t version = lock_.begin_read();
        FlowKey::Words words;
        for (std::size_t i = 0; i < words.size(); ++i) {
          words[i] = words_[i].load(std::memory_order_relaxed);
        }
        const bool used = used_.load(std::memory_order_relaxed);
        if (!lock_.is_valid(version)) continue;
        if (!used) return std::nullopt;
        return std::bit_cast<FlowKey>(words);
      }
    }

   private:
    SequenceLock lock_;
    std::atomic<bool> used_{false};
    std::array<std::atomic<std::uint64_t>, std::tuple_size_v<FlowKey::Words>> words_{};
  };

  std::vector<std::uint32_t> free_;  // Reserved for all: push_back never allocates.
  std::unique_ptr<PublishedKey[]> keys_;
};

}  // namespace drip::datapath
