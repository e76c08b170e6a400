// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's moves of buckets between transmitters: see docs/decisions/0019-moves.md.
//
// At each moment a bucket departs from one transmitter only, and what is older than the move is in
// front of what is younger: the new transmitter makes the bucket, paused; the workers send its
// packets there; what they sent before reaches the old transmitter; that one stops it; the new one
// takes over what waits, and behind it what came meanwhile.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "datapath/poll_engine/poll_engine.h"

namespace drip::datapath {
namespace {

// What waits is copied on a polling thread: drip-bench moves tells how long that takes.
constexpr std::uint32_t kMostRingSlots = 4096;  // Of a fair queue the capacity.
constexpr std::uint32_t kMostQueuePackets = 2048;
// Flows of a queue that have no packets, and move along with those that have.
constexpr std::size_t kMostIdleFlows = 1024;

std::uint64_t key_of(BucketRef bucket) {
  return std::uint64_t{bucket.transmitter} << 32 | bucket.slot;
}

// Runs a job for each move on a thread, those of few packets together in one of its loops.
template <class Move, class Job>
void run_in_parts(PollThread& thread, std::span<Move* const> moves, Job job) {
  for (std::size_t next = 0; next < moves.size();) {
    thread.mailbox.run([&](TimePoint now) {
      std::size_t weight = moves[next]->weight();
      do {
        job(thread, *moves[next], now);
        ++next;
        weight += next < moves.size() ? moves[next]->weight() : 0;
      } while (next < moves.size() && weight <= Engine::kMovedPacketsTogether);
    });
  }
}

}  // namespace

void PollEngine::move(std::span<BucketMove> moves) {
  for (std::size_t begin = 0; begin < moves.size(); begin += kMovesTogether) {
    std::vector<PlannedMove> planned =
        plan_moves(moves.subspan(begin, std::min(kMovesTogether, moves.size() - begin)));
    if (planned.empty()) continue;
    const auto on_each = [&](BucketRef PlannedMove::*at, auto job) {
      for (std::uint32_t number = 0; number < transmitters_.size(); ++number) {
        std::vector<PlannedMove*> there;
        for (PlannedMove& one : planned) {
          if ((one.*at).transmitter == number) there.push_back(&one);
        }
        run_in_parts(*transmitters_[number], std::span<PlannedMove* const>(there), job);
      }
    };
    on_each(&PlannedMove::to, [](PollThread& thread, PlannedMove& one, TimePoint now) {
      thread.begin_arrival(one.to.slot, one.move->settings, one.ring, one.ring_slots, now);
      if (one.queue_profile) thread.set_queue(one.to.slot, *one.queue_profile, nullptr);
      if (one.node) thread.set_node(one.to.slot, *one.node, now);
    });
    retarget(planned);
    drain_hand_offs();
    on_each(&PlannedMove::from, [](PollThread& thread, PlannedMove& one, TimePoint now) {
      if (one.node) {
        one.green_bytes = thread.buckets->array().trees.nodes[one.from.slot].green_bytes.get();
        thread.set_node(one.from.slot, NodeSettings{}, now);  // It leaves its tree.
        // Control reads it here until the move is finished, and no counter goes back.
        thread.buckets->array().trees.nodes[one.from.slot].green_bytes.set(one.green_bytes);
      }
      thread.stop_bucket(one.from.slot);
      if (one.queue_profile) thread.take_out_queue(one.from.slot, one.queue, now);
    });
    // A stopped bucket is changed by nobody: the new thread reads it where it is.
    on_each(&PlannedMove::to, [this](PollThread& thread, PlannedMove& one, TimePoint now) {
      const BucketTable& before = *transmitter_of(one.from).buckets;
      const std::uint32_t slot = one.from.slot;
      if (one.queue_profile) {
        thread.take_over_queue(one.to.slot, before[slot], before.histograms(slot),
                               before.queues()[slot], one.queue, one.came, now);
      } else {
        thread.take_over_bucket(one.to.slot, before[slot], before.histograms(slot), one.memory,
                                now);
      }
      if (!one.node) return;
      thread.buckets->array().trees.nodes[one.to.slot].green_bytes.add(one.green_bytes);
    });
    on_each(&PlannedMove::from, [](PollThread& thread, PlannedMove& one, TimePoint) {
      thread.forget_bucket(one.from.slot);
    });
    finish_moves(planned);
  }
}

std::vector<PollEngine::PlannedMove> PollEngine::plan_moves(std::span<BucketMove> moves) {
  std::vector<PlannedMove> planned;
  for (BucketMove& move : moves) {
    move.moved.reset();
    const PollThread& thread = transmitter_of(move.from);
    bool is_node = false;
    bool has_queue = false;
    {
      const std::shared_lock lock(allocators_mutex_);
      const SlotRecord& record = allocators_[move.from.transmitter]->record(move.from.slot);
      is_node = record.is_node != 0;
      if (move.transmitter == move.from.transmitter || !can_move_record(record) ||
          is_overflow_bucket(move.from)) {
        continue;
      }
      has_queue = record.queue != nullptr;
    }
    std::uint32_t parent = kNoNode;
    if (!transmitter_of(move.from).mailbox.run([&](TimePoint) {
          if (is_node) parent = thread.buckets->array().trees.nodes[move.from.slot].parent_slot;
          if (has_queue && (*thread.buckets)[move.from.slot].backlog.get() > kMostQueuePackets) {
            return false;
          }
          return thread.can_move_bucket(move.from.slot);
        })) {
      continue;
    }
    if (has_queue) make_queues(*transmitters_[move.transmitter]);
    const std::unique_lock lock(allocators_mutex_);
    reap();
    const SpreadBucket* const spread =
        is_node ? find_spread_part(move.from.transmitter, parent) : nullptr;
    if (is_node && spread == nullptr) continue;  // All of its tree is where it is.
    SlotAllocator& allocator = *allocators_[move.transmitter];
    const SlotRecord& record = allocators_[move.from.transmitter]->record(move.from.slot);
    const absl::StatusOr<std::uint32_t> slot = allocator.allocate();
    if (!slot.ok()) continue;
    const absl::StatusOr<RingEntry*> ring = allocator.rings().allocate(record.ring_slots);
    if (!ring.ok()) {
      allocator.release(*slot);
      continue;
    }
    allocator.prepare_histograms(*slot);
    PlannedMove& one = planned.emplace_back();
    one.move = &move;
    one.from = move.from;
    one.to = {move.transmitter, *slot};
    one.ring = *ring;
    one.ring_slots = record.ring_slots;
    if (has_queue) {
      transmitters_[move.transmitter]->buckets->prepare_queue(*slot);
      one.queue_profile = record.queue->profiles.back();
      one.queue.reserve(record.capacity + std::size_t{1}, kMostIdleFlows);
      one.came.reserve(record.capacity + std::size_t{1}, 0);
    } else {
      one.memory.resize(record.ring_slots);
    }
    if (spread == nullptr) continue;
    one.node = move.share;
    one.node->parent = spread->part_on(move.transmitter).slot;
    transmitters_[move.transmitter]->buckets->prepare_node(
        *slot,
        move.share.guaranteed_units_per_second > 0 || move.share.guaranteed_bits_per_second > 0);
  }
  find_rules_of(planned);
  return planned;
}

bool PollEngine::can_move_record(const SlotRecord& record) {
  if (record.capacity == 0 || record.rate_is_leased != 0) return false;
  if (record.queue == nullptr) return record.ring_slots <= kMostRingSlots;
  return record.queue->dual == nullptr &&
         record.queue->profiles.back()->into == QueuePlace::kFair &&
         record.capacity <= kMostRingSlots;
}

// Packets of flows for which there is no room: the snapshot names it, which is not changed.
bool PollEngine::is_overflow_bucket(BucketRef bucket) const {
  return rules_ != nullptr && std::ranges::any_of(rules_->flow_paths, [&](const FlowPath& path) {
           return path.overflow.kind == RuleAction::Kind::kBucket && path.overflow.bucket == bucket;
         });
}

void PollEngine::find_rules_of(std::span<PlannedMove> planned) const {
  if (rules_ == nullptr) return;
  std::unordered_map<std::uint64_t, PlannedMove*> by_bucket;
  for (PlannedMove& one : planned) by_bucket.emplace(key_of(one.from), &one);
  const auto indices = static_cast<std::uint32_t>(rules_->rule_slots + kPacketKinds);
  for (std::uint32_t index = 0; index < indices; ++index) {
    const BucketRef target = rules_->targets[index].load(std::memory_order_relaxed);
    if (const auto found = by_bucket.find(key_of(target)); found != by_bucket.end()) {
      found->second->rules.push_back(index);
    }
  }
}

void PollEngine::retarget(std::span<const PlannedMove> planned) {
  if (rules_ == nullptr) return;
  for (std::size_t worker = 0; worker < workers_.size(); ++worker) {
    workers_[worker]->mailbox.run([&](TimePoint) {
      WorkerRule* const rules = rules_->workers[worker].get();
      for (const PlannedMove& one : planned) {
        for (const std::uint32_t index : one.rules) rules[index].action.bucket = one.to;
      }
    });
  }
  for (const PlannedMove& one : planned) {
    for (const std::uint32_t index : one.rules) {
      rules_->targets[index].store(one.to, std::memory_order_relaxed);
    }
  }
}

void PollEngine::finish_moves(std::span<PlannedMove> planned) {
  const std::unique_lock lock(allocators_mutex_);
  for (PlannedMove& one : planned) {
    SlotAllocator& allocator = *allocators_[one.to.transmitter];
    SlotAllocator& before = *allocators_[one.from.transmitter];
    SlotRecord& record = allocator.record(one.to.slot);
    record.set(one.move->settings);
    record.ring = one.ring;
    record.ring_slots = one.ring_slots & kMaxRingSlots;
    record.is_node = before.record(one.from.slot).is_node;
    record.holds_packets = before.record(one.from.slot).holds_packets;
    if (one.queue_profile) {
      record.queue = std::make_unique<SlotQueue>();
      record.queue->profiles.push_back(std::move(one.queue_profile));
    }
    before.record(one.from.slot).holds_packets = 0;
    before.release_when_retired(one.from.slot);
    one.move->moved = one.to;
  }
  reap();
}

}  // namespace drip::datapath
