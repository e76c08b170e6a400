// SPDX-License-Identifier: BSD-3-Clause
// The flows of one per-flow rule on one transmitter.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "datapath/flows/flow_array.h"
#include "datapath/flows/flow_hash_table.h"
#include "datapath/flows/flow_rings.h"
#include "datapath/flows/key_change.h"
#include "drip/bucket_ring.h"
#include "drip/counter.h"
#include "drip/queue/queue_profile.h"
#include "drip/sequence_lock.h"
#include "engine/call_types.h"
#include "packet/flow_key.h"

namespace drip::datapath {

/// Bounds the flows of one rule over all transmitters.
class FlowLimit {
 public:
  explicit FlowLimit(std::uint32_t max_flows) : max_flows_(max_flows) {}

  /// Counts one flow more. False if the limit is reached.
  [[nodiscard]] bool acquire() {
    if (flows_.fetch_add(1, std::memory_order_relaxed) < max_flows_.load(std::memory_order_relaxed))
      return true;
    release();
    return false;
  }
  void release() { flows_.fetch_sub(1, std::memory_order_relaxed); }
  /// Control. Flows beyond a smaller limit stay until they are idle.
  void set(std::uint32_t max_flows) { max_flows_.store(max_flows, std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> max_flows_;
  std::atomic<std::uint32_t> flows_{0};
};

/// Flow keys and their flow numbers, and a bucket slot for each flow number. Control makes it and
/// gives it to the transmitter, which alone changes it from then on: where control changes it, it
/// does so in a job on that transmitter's thread. Control may read counters and keys at any time,
/// and frees it once `retired`.
class FlowTable {
 public:
  /// `transmitter`: by number. `rings`: of all transmitters. `slots`: as many as there may be flows
  /// here at the most.
  FlowTable(const FlowRuleSettings& flow_settings, std::shared_ptr<FlowLimit> flow_limit,
            FlowRings* flow_rings, std::uint32_t transmitter, std::span<const std::uint32_t> slots)
      : settings(flow_settings),
        limit(std::move(flow_limit)),
        rings(flow_rings),
        transmitter_(transmitter),
        // One flow is the least that a table can be made for.
        by_key_(std::make_unique<FlowHashTable>(
            std::max(1U, static_cast<std::uint32_t>(slots.size())))) {
    add_slots(reserve(slots));
  }

  FlowRuleSettings settings;
  std::shared_ptr<FlowLimit> limit;
  FlowRings* rings;
  /// While the rings of all flows are replaced by larger ones: those before. See replace_rings().
  FlowRings* former_rings = nullptr;
  /// What the queues of its flows go by; null: they have their rings only.
  const QueueProfile* queue = nullptr;
  std::uint32_t sweep_cursor = 0;
  bool retiring = false;             ///< No new flows; see FlowBuckets::retire_table().
  std::atomic<bool> retired{false};  ///< The transmitter does not use it any more.
  Counter flows;
  Counter created;
  Counter refused;
  Counter last_refused_ns;  ///< Drip's time of the last of them.

  // ---- The transmitter: look-up, and flows that come and go

  [[nodiscard]] std::uint32_t hash(const FlowKey& key) const { return by_key_->hash(key); }
  [[nodiscard]] std::optional<std::uint32_t> find(const FlowKey& key, std::uint32_t hash) const {
    auto flow = by_key_->find(key, hash);
    if (!flow && former_by_key_ != nullptr) [[unlikely]]
      flow = former_by_key_->find(key, hash);
    return flow;
  }
  /// Adds a flow, with a ring, and returns its number; nothing if there is no room. REQUIRES: `key`
  /// is not in the table.
  [[nodiscard]] std::optional<std::uint32_t> add(const FlowKey& key, std::uint32_t hash) {
    const auto flow = try_add(key, hash);
    if (!flow) refused.add(1);
    return flow;
  }
  /// Visits some flows, and removes those for which `visit(key, flow)` returns true.
  template <typename Visit>
  void sweep(std::uint32_t steps, Visit visit) {
    sweep_cursor = by_key_->sweep(sweep_cursor, steps, [&](const FlowKey& key, std::uint32_t flow) {
      if (!visit(key, flow)) return false;
      release(flow);
      return true;
    });
  }
  /// Whether no flow is left.
  [[nodiscard]] bool empty() const {
    return by_key_->size() == 0 && (former_by_key_ == nullptr || former_by_key_->size() == 0);
  }

  /// kNoSlot for a number that is not used at present.
  static constexpr std::uint32_t kNoSlot = ~0U;
  [[nodiscard]] std::uint32_t slot(std::uint32_t flow) const { return flows_[flow].slot; }
  [[nodiscard]] RingEntry* ring(std::uint32_t flow) const {
    return rings->memory(flows_[flow].ring);
  }
  /// While rings are replaced: gives the flow a ring of the new ones. Returns the number of the old
  /// one, for FlowRings::give_back() once it is not used any more; nothing if the flow has a new
  /// one.
  [[nodiscard]] std::optional<std::uint32_t> replace_ring(std::uint32_t flow) {
    if (!has_former_ring(flow)) return std::nullopt;
    // There is one: there are as many as the limit allows flows.
    const std::uint32_t old = std::exchange(flows_[flow].ring, rings->take(transmitter_));
    flows_[flow].ring_era = ring_era_;
    return old;
  }

  // ---- The transmitter: flows of a former key, and those that wait for them

  /// Changes of the key that flows may be under at a time.
  static constexpr std::uint32_t kKeyChanges = 16;

  /// Before the rule's key becomes `coming`, which it may have been before: flow number `flow` gets
  /// a key of its own if a packet by `coming` would find it, so that it is old as well, and what
  /// comes now does not overtake what came in between. `number`, 1 to 255, of the times that this
  /// was done: flows set apart at another time may still be there.
  void set_apart(std::uint32_t flow, const FlowTemplateKey& coming, std::uint8_t number) {
    const auto key = key_of(flow);
    if (!key || !is_made_by(*key, coming)) return;
    FlowKey apart = *key;
    apart.parts |= static_cast<std::uint16_t>(number << kApartShift);
    // It is not there if it has found no place in a larger hash table, see move_some().
    if (!by_key_->erase(*key, hash(*key))) return;
    if (by_key_->insert(apart, hash(apart), flow) == FlowHashTable::Insert::kDone) {
      flows_[flow].key.publish(apart);
    } else {
      // No place either, one in 10^12: where it was there is one.
      (void)by_key_->insert(*key, hash(*key), flow);
    }
  }
  /// The `number` of a flow that was set apart; 0 for others.
  [[nodiscard]] static std::uint32_t apart_number(const FlowKey& key) {
    return key.parts >> kApartShift;
  }

  /// Whether a flow of this key is one of a former key of the rule, or was set apart.
  [[nodiscard]] bool is_old(const FlowKey& key) const { return !is_made_by(key, settings.key); }
  [[nodiscard]] bool key_has_changed() const { return last_change_ != kNone; }
  /// Whether flows of former keys are there.
  [[nodiscard]] bool key_is_changing() const {
    return key_has_changed() && !key_changes_[last_change_]->done();
  }
  /// Counts the flow for the last change of the key if it is old.
  void count_if_old(std::uint32_t flow, const FlowKey& key) {
    if (!key_has_changed()) return;
    Flow& old = flows_[flow];
    old.counted &= live_changes_;
    const auto bit = static_cast<std::uint16_t>(1U << last_change_);
    if ((old.counted & bit) != 0 || !is_old(key)) return;
    old.counted |= bit;
    key_changes_[last_change_]->add_old(key);
  }
  /// Whether a flow that appears now has to wait.
  [[nodiscard]] bool must_wait(const FlowKey& key) const {
    return key_has_changed() && key_changes_[last_change_]->must_wait(key);
  }
  /// Whether one that is held has to wait longer.
  [[nodiscard]] bool must_wait_longer(std::uint32_t flow, const FlowKey& key) const {
    return key_changes_[flows_[flow].waits_by]->must_wait(key);
  }
  /// The bit of the change by which it waits.
  [[nodiscard]] std::uint16_t waits_by(std::uint32_t flow) const {
    return static_cast<std::uint16_t>(1U << flows_[flow].waits_by);
  }
  [[nodiscard]] bool is_held(std::uint32_t flow) const { return flows_[flow].held; }
  [[nodiscard]] bool any_held() const { return first_held_ != kNone; }
  [[nodiscard]] std::uint32_t last_held() const { return last_held_; }
  /// By the last change of the key.
  void hold(std::uint32_t flow) {
    flows_[flow].waits_by = static_cast<std::uint8_t>(last_change_);
    hold_again(flow);
  }
  void hold_again(std::uint32_t flow) {
    Flow& held = flows_[flow];
    held.held = true;
    held.next = kNone;
    (first_held_ == kNone ? first_held_ : flows_[last_held_].next) = flow;
    last_held_ = flow;
  }
  /// Takes the flow out that has been held for the longest. REQUIRES: any_held().
  std::uint32_t pop_held() {
    const std::uint32_t flow = first_held_;
    first_held_ = flows_[flow].next;
    flows_[flow].held = false;
    return flow;
  }

  // ---- Control, before a job that tells the transmitter of it

  /// Numbers for flows.
  struct Numbers {
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
  };
  /// Numbers with these slots, which no flow has yet; to be followed by add_slots().
  [[nodiscard]] Numbers reserve(std::span<const std::uint32_t> slots) {
    Numbers numbers;
    for (const std::uint32_t slot : slots) {
      std::uint32_t flow = without_slot_;
      if (flow == kNone) {
        flow = flows_.size();
        flows_.grow(flow + 1);
      } else {
        without_slot_ = flows_[flow].next;
      }
      flows_[flow].slot = slot;
      flows_[flow].next = kNone;
      (numbers.first == kNone ? numbers.first : flows_[numbers.last].next) = flow;
      numbers.last = flow;
    }
    slot_count_ += static_cast<std::uint32_t>(slots.size());
    return numbers;
  }
  /// Undoes reserve(), and returns the slots.
  std::vector<std::uint32_t> unreserve(const Numbers& numbers) {
    std::vector<std::uint32_t> slots;
    if (numbers.first == kNone) return slots;
    for (std::uint32_t flow = numbers.first; flow != kNone; flow = flows_[flow].next) {
      slots.push_back(std::exchange(flows_[flow].slot, kNoSlot));
    }
    flows_[numbers.last].next = without_slot_;
    without_slot_ = numbers.first;
    slot_count_ -= static_cast<std::uint32_t>(slots.size());
    return slots;
  }
  /// Slots of flow numbers, in use or not.
  [[nodiscard]] std::uint32_t slot_count() const { return slot_count_; }
  /// Flow numbers so far, for a walk over all of them.
  [[nodiscard]] std::uint32_t number_count() const { return flows_.size(); }
  /// A hash table for more flows, if `slots` slots need it. To be given to start_move().
  [[nodiscard]] std::unique_ptr<FlowHashTable> larger_hash_table(std::uint32_t slots) const {
    if (slots <= by_key_->capacity()) return nullptr;
    return std::make_unique<FlowHashTable>(slots, by_key_->hash_function());
  }

  // ---- The transmitter, in jobs of control

  void add_slots(const Numbers& numbers) {
    if (numbers.first == kNone) return;
    flows_[numbers.last].next = first_free_;
    first_free_ = numbers.first;
  }
  /// Takes the slot of a free flow number away; nothing if there is none.
  std::optional<std::uint32_t> remove_slot() {
    if (first_free_ == kNone) return std::nullopt;
    const std::uint32_t flow = first_free_;
    first_free_ = flows_[flow].next;
    flows_[flow].next = without_slot_;
    without_slot_ = flow;
    --slot_count_;
    return std::exchange(flows_[flow].slot, kNoSlot);
  }
  /// From now on new flows are in `table`; those that there are follow by move_some().
  void start_move(std::unique_ptr<FlowHashTable> table) {
    former_by_key_ = std::exchange(by_key_, std::move(table));
    sweep_cursor = 0;
    move_cursor_ = 0;
  }
  /// False when all have been moved: the former table is in `done`, for control to free.
  bool move_some(std::uint32_t steps, std::unique_ptr<FlowHashTable>& done) {
    move_cursor_ =
        former_by_key_->sweep(move_cursor_, steps, [&](const FlowKey& key, std::uint32_t flow) {
          return by_key_->insert(key, by_key_->hash(key), flow) == FlowHashTable::Insert::kDone;
        });
    if (move_cursor_ != 0) return true;
    // What found no place, one in 10^12, stays where it is.
    if (former_by_key_->size() == 0) done = std::move(former_by_key_);
    return false;
  }
  /// Another key: flows of the present one are old from now on. `number` of the change, below
  /// kKeyChanges: one that no held flow waits by and no flow is counted by. `live`: the bits of all
  /// by which flows are counted, and may wait, from now on. REQUIRES: no held flow waits by others.
  void start_key_change(const FlowTemplateKey& key, std::uint32_t number, KeyChange* change,
                        std::uint16_t live) {
    settings.key = key;
    key_changes_[number] = change;
    last_change_ = number;
    live_changes_ = live;
  }
  /// Flows that there are have one of the former rings until replace_ring().
  void replace_rings(FlowRings* larger) {
    former_rings = std::exchange(rings, larger);
    ++ring_era_;
  }

  /// The key of a flow number, if it is in use. Any thread.
  [[nodiscard]] std::optional<FlowKey> key_of(std::uint32_t flow) const {
    return flows_[flow].key.read();
  }

 private:
  static constexpr std::uint32_t kNone = ~0U;
  // In FlowKey::parts, of which a template can set the lower byte only.
  static constexpr std::uint32_t kApartShift = 8;
  static_assert(sizeof(FlowTemplateKey::parts) == 1 && sizeof(FlowKey::parts) == 2);

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

  struct Flow {
    PublishedKey key;
    std::uint32_t slot = kNoSlot;
    std::uint32_t ring = 0;
    // Of a free number, the next free one; of one that is held, the next held one.
    std::uint32_t next = kNone;
    std::uint16_t ring_era = 0;  // Of `ring`: that of the table, or it is a former one.
    std::uint16_t counted = 0;   // A bit for each change of the key that counts it as old.
    std::uint8_t waits_by = 0;   // If it is held: the number of the change.
    bool held = false;
  };

  [[nodiscard]] bool has_former_ring(std::uint32_t flow) const {
    return flows_[flow].ring_era != ring_era_;
  }

  std::optional<std::uint32_t> try_add(const FlowKey& key, std::uint32_t hash) {
    if (retiring || first_free_ == kNone || !limit->acquire()) return std::nullopt;
    const std::uint32_t flow = first_free_;
    // There is a ring for each flow that the limit allows, but one may be on its way back.
    const std::uint32_t ring = rings->take(transmitter_);
    if (ring == FlowRings::kNone) {
      limit->release();
      return std::nullopt;
    }
    if (by_key_->insert(key, hash, flow) != FlowHashTable::Insert::kDone) {
      rings->give_back(ring);
      limit->release();
      return std::nullopt;
    }
    Flow& added = flows_[flow];
    first_free_ = added.next;
    added.ring = ring;
    added.ring_era = ring_era_;
    added.counted = 0;
    added.held = false;
    added.key.publish(key);
    flows.add(1);
    created.add(1);
    return flow;
  }

  // Of a flow whose key has been erased.
  void release(std::uint32_t flow) {
    Flow& released = flows_[flow];
    const std::uint16_t counted = released.counted & live_changes_;
    if (counted != 0) [[unlikely]] {
      const auto key = released.key.read();
      for (std::uint32_t i = 0; i < kKeyChanges; ++i) {
        if ((counted >> i & 1) != 0) key_changes_[i]->remove_old(*key);
      }
    }
    released.key.withdraw();
    (has_former_ring(flow) ? former_rings : rings)->give_back(released.ring);
    released.next = first_free_;
    first_free_ = flow;
    limit->release();
    flows.set(flows.get() - 1);
  }

  const std::uint32_t transmitter_;
  FlowArray<Flow> flows_;
  std::unique_ptr<FlowHashTable> by_key_;         // Key to flow number.
  std::unique_ptr<FlowHashTable> former_by_key_;  // While flows move to a larger one; else null.
  std::uint32_t move_cursor_ = 0;
  std::uint32_t first_free_ = kNone;
  std::uint32_t first_held_ = kNone;
  std::uint32_t last_held_ = kNone;
  std::uint32_t without_slot_ = kNone;  // Numbers without a slot.
  std::uint32_t slot_count_ = 0;
  std::uint16_t ring_era_ = 0;
  // By number; of numbers without a bit here nothing is used.
  std::array<KeyChange*, kKeyChanges> key_changes_{};
  std::uint16_t live_changes_ = 0;
  std::uint32_t last_change_ = kNone;  // kNone: the key has never changed.
};

}  // namespace drip::datapath
