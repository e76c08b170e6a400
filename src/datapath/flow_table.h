// SPDX-License-Identifier: BSD-3-Clause
// The buckets that one per-flow rule makes on one transmitter, each for a flow, as flows appear.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "datapath/flow_hash_table.h"
#include "drip/bucket_ring.h"
#include "drip/counter.h"
#include "engine/engine.h"
#include "packet/flow_key.h"

namespace drip::datapath {

/// Bounds the flows of one rule over all transmitters.
class FlowLimit {
 public:
  explicit FlowLimit(std::uint32_t max_flows) : max_flows_(max_flows) {}

  [[nodiscard]] bool take() {
    if (flows_.fetch_add(1, std::memory_order_relaxed) < max_flows_) return true;
    give_back();
    return false;
  }
  void give_back() { flows_.fetch_sub(1, std::memory_order_relaxed); }

 private:
  const std::uint32_t max_flows_;
  std::atomic<std::uint32_t> flows_{0};
};

/// Control makes it, with bucket slots and ring memory for all flows that may be, and hands it to
/// the transmitter; from then on the transmitter alone changes it. Control reads the counters and
/// the published keys at any time, and frees it once retired() says so.
class FlowTable {
 public:
  FlowTable(const FlowRuleSettings& flow_settings, std::shared_ptr<FlowLimit> flow_limit,
            std::vector<std::uint32_t> bucket_slots, RingEntry* ring_memory,
            std::uint32_t ring_slot_count)
      : settings(flow_settings),
        slots(std::move(bucket_slots)),
        rings(ring_memory),
        ring_slots(ring_slot_count),
        table(static_cast<std::uint32_t>(slots.size())),
        limit(std::move(flow_limit)),
        keys_(std::make_unique<PublishedKey[]>(slots.size())) {
    free_.reserve(slots.size());
    for (auto flow = static_cast<std::uint32_t>(slots.size()); flow-- > 0;) free_.push_back(flow);
  }

  FlowRuleSettings settings;
  const std::vector<std::uint32_t> slots;  ///< Bucket slot by flow number.
  RingEntry* const rings;
  const std::uint32_t ring_slots;  ///< For each flow.
  FlowHashTable table;             ///< Key to flow number.
  std::shared_ptr<FlowLimit> limit;
  std::uint32_t sweep_cursor = 0;
  bool retiring = false;
  std::atomic<bool> retired{false};
  Counter flows;
  Counter created;
  Counter refused;

  /// A flow number, if there is room. REQUIRES: `key` is not in the table.
  [[nodiscard]] std::optional<std::uint32_t> take(const FlowKey& key, std::uint32_t hash) {
    if (retiring || free_.empty() || !limit->take()) {
      refused.add(1);
      return std::nullopt;
    }
    const std::uint32_t flow = free_.back();
    if (table.insert(key, hash, flow) != FlowHashTable::Insert::kDone) {
      limit->give_back();
      refused.add(1);
      return std::nullopt;
    }
    free_.pop_back();
    keys_[flow].publish(key);
    flows.add(1);
    created.add(1);
    return flow;
  }
  /// After the table has let go of it.
  void give_back(std::uint32_t flow) {
    keys_[flow].withdraw();
    free_.push_back(flow);
    limit->give_back();
    flows.set(flows.get() - 1);
  }
  /// The flow with that number, if there is one. Any thread.
  [[nodiscard]] std::optional<FlowKey> key_of(std::uint32_t flow) const {
    return keys_[flow].read();
  }

 private:
  // A sequence lock a flow: odd while it is written, so a reader never shows half a key.
  class PublishedKey {
   public:
    void publish(const FlowKey& key) {
      const FlowKey::Words words = key.words();
      const std::uint32_t version = begin_write();
      for (std::size_t i = 0; i < words.size(); ++i) {
        words_[i].store(words[i], std::memory_order_relaxed);
      }
      used_.store(true, std::memory_order_relaxed);
      version_.store(version + 2, std::memory_order_release);
    }
    void withdraw() {
      const std::uint32_t version = begin_write();
      used_.store(false, std::memory_order_relaxed);
      version_.store(version + 2, std::memory_order_release);
    }
    [[nodiscard]] std::optional<FlowKey> read() const {
      for (;;) {
        const std::uint32_t before = version_.load(std::memory_order_acquire);
        FlowKey::Words words;
        for (std::size_t i = 0; i < words.size(); ++i) {
          words[i] = words_[i].load(std::memory_order_relaxed);
        }
        const bool used = used_.load(std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_acquire);
        if (before % 2 != 0 || version_.load(std::memory_order_relaxed) != before) continue;
        if (!used) return std::nullopt;
        return std::bit_cast<FlowKey>(words);
      }
    }

   private:
    std::uint32_t begin_write() {
      const std::uint32_t version = version_.load(std::memory_order_relaxed);
      version_.store(version + 1, std::memory_order_relaxed);
      std::atomic_thread_fence(std::memory_order_release);
      return version;
    }
    std::atomic<std::uint32_t> version_{0};
    std::atomic<bool> used_{false};
    std::array<std::atomic<std::uint64_t>, 5> words_{};
  };

  std::vector<std::uint32_t> free_;  // Reserved for all: push_back never allocates.
  std::unique_ptr<PublishedKey[]> keys_;
};

}  // namespace drip::datapath
