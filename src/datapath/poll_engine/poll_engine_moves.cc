// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's moves of buckets between transmitters: see docs/decisions/0019-moves.md.
//
// At each moment a bucket departs from one transmitter only, and what is older than the move is in
// front of what is younger: the new transmitter makes the bucket, paused; the workers send its
// packets there; what they sent before reaches the old transmitter; that one stops it; the new one
// takes over what waits, and behind it what came meanwhile. The root of a tree is held on both
// threads from before the first of its nodes stops until the last one has been taken over.
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

// In which order the nodes of a tree come.
enum class Nodes : std::uint8_t { kParentsFirst, kChildrenFirst };

}  // namespace

void PollEngine::move(std::span<BucketMove> moves) {
  for (std::size_t begin = 0; begin < moves.size();) {
    std::size_t count = moves[begin].nodes;
    while (begin + count < moves.size() && count + moves[begin + count].nodes <= kMovesTogether) {
      count += moves[begin + count].nodes;
    }
    std::vector<PlannedMove> planned = plan_moves(moves.subspan(begin, count));
    begin += count;
    if (!planned.empty()) make_moves(planned);
  }
}

void PollEngine::make_moves(std::span<PlannedMove> planned) {
  const auto on_each = [&](BucketRef PlannedMove::*at, Nodes order, auto job) {
    for (std::uint32_t number = 0; number < transmitters_.size(); ++number) {
      std::vector<PlannedMove*> there;
      for (PlannedMove& one : planned) {
        if ((one.*at).transmitter == number) there.push_back(&one);
      }
      if (order == Nodes::kChildrenFirst) std::ranges::reverse(there);
      run_in_parts(*transmitters_[number], std::span<PlannedMove* const>(there), job);
    }
  };
  on_each(&PlannedMove::to, Nodes::kParentsFirst,
          [&](PollThread& thread, PlannedMove& one, TimePoint now) {
            if (one.parent) one.node->parent = planned[*one.parent].to.slot;
            if (one.is_inner()) {
              thread.create_bucket(one.to.slot, one.move->settings, nullptr, 0, now);
            } else {
              thread.begin_arrival(one.to.slot, one.move->settings, one.ring, one.ring_slots, now);
            }
            if (one.queue_profile) thread.set_queue(one.to.slot, *one.queue_profile, nullptr);
            if (one.node) thread.set_node(one.to.slot, *one.node, now);
            if (one.is_root()) thread.hold_tree(one.to.slot, now);
          });
  retarget(planned);
  drain_hand_offs();
  on_each(&PlannedMove::from, Nodes::kParentsFirst,
          [](PollThread& thread, PlannedMove& one, TimePoint now) {
            if (one.with_tree) one.taken.is_busy = thread.is_busy_node(one.from.slot);
            if (one.is_root()) thread.hold_tree(one.from.slot, now);
          });
  on_each(&PlannedMove::from, Nodes::kChildrenFirst, stop);
  // A stopped bucket is changed by nobody: the new thread reads it where it is.
  on_each(&PlannedMove::to, Nodes::kParentsFirst,
          [this](PollThread& thread, PlannedMove& one, TimePoint now) {
            take_over(*transmitter_of(one.from).buckets, thread, one, now);
          });
  on_each(&PlannedMove::to, Nodes::kChildrenFirst,
          [](PollThread& thread, PlannedMove& one, TimePoint now) {
            if (one.is_root()) thread.resume_tree(one.to.slot, now);
          });
  on_each(
      &PlannedMove::from, Nodes::kChildrenFirst,
      [](PollThread& thread, PlannedMove& one, TimePoint) { thread.forget_bucket(one.from.slot); });
  finish_moves(planned);
}

void PollEngine::stop(PollThread& thread, PlannedMove& one, TimePoint now) {
  if (one.with_tree) {
    thread.take_out_node(one.from.slot, one.taken);
  } else if (one.node) {
    Counter& green_bytes = thread.buckets->array().trees.nodes[one.from.slot].green_bytes;
    one.taken.green_bytes = green_bytes.get();
    thread.set_node(one.from.slot, NodeSettings{}, now);  // It leaves its tree.
    // Control reads it here until the move is finished, and no counter goes back.
    green_bytes.set(one.taken.green_bytes);
  }
  thread.stop_bucket(one.from.slot);
  if (one.queue_profile) thread.take_out_queue(one.from.slot, one.queue, now);
}

void PollEngine::take_over(const BucketTable& before, PollThread& thread, PlannedMove& one,
                           TimePoint now) {
  const std::uint32_t slot = one.from.slot;
  if (one.with_tree) thread.put_in_node(one.to.slot, one.taken);
  if (one.is_inner()) {
    thread.take_over_inner(one.to.slot, before[slot], before.histograms(slot));
  } else if (one.queue_profile) {
    thread.take_over_queue(one.to.slot, before[slot], before.histograms(slot),
                           before.queues()[slot], one.queue, one.came, now);
  } else {
    thread.take_over_bucket(one.to.slot, before[slot], before.histograms(slot), one.memory, now);
  }
  if (one.node && !one.with_tree) {
    thread.buckets->array().trees.nodes[one.to.slot].green_bytes.add(one.taken.green_bytes);
  }
}

std::vector<PollEngine::PlannedMove> PollEngine::plan_moves(std::span<BucketMove> moves) {
  std::vector<PlannedMove> planned;
  for (std::size_t begin = 0; begin < moves.size(); begin += moves[begin].nodes) {
    const std::span<BucketMove> together = moves.subspan(begin, moves[begin].nodes);
    const std::size_t first = planned.size();
    for (BucketMove& move : together) {
      PlannedMove one;
      one.move = &move;
      one.with_tree = together.size() > 1;
      if (one.with_tree && &move != &together.front()) one.parent = first + move.parent;
      move.moved.reset();
      if (!plan_move(one)) break;
      planned.push_back(std::move(one));
    }
    // All of a tree, or none of it.
    if (planned.size() == first + together.size()) continue;
    for (; planned.size() > first; planned.pop_back()) undo_move(planned.back());
  }
  find_rules_of(planned);
  return planned;
}

bool PollEngine::plan_move(PlannedMove& one) {
  const BucketMove& move = *one.move;
  const PollThread& thread = transmitter_of(move.from);
  bool is_node = false;
  bool has_queue = false;
  {
    const std::shared_lock lock(allocators_mutex_);
    const SlotRecord& record = allocators_[move.from.transmitter]->record(move.from.slot);
    is_node = record.is_node != 0;
    if (move.transmitter == move.from.transmitter || !can_move_record(record) ||
        (record.capacity == 0 && !one.with_tree) || is_overflow_bucket(move.from)) {
      return false;
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
    return false;
  }
  if (has_queue) make_queues(*transmitters_[move.transmitter]);
  const std::unique_lock lock(allocators_mutex_);
  reap();
  // Right below a spread root; otherwise all of its tree is where it is.
  const SpreadBucket* const spread =
      is_node ? find_spread_part(move.from.transmitter, one.with_tree ? move.from.slot : parent)
              : nullptr;
  if (is_node && one.with_tree == (spread != nullptr)) return false;
  SlotAllocator& allocator = *allocators_[move.transmitter];
  const SlotRecord& record = allocators_[move.from.transmitter]->record(move.from.slot);
  const absl::StatusOr<std::uint32_t> slot = allocator.allocate();
  if (!slot.ok()) return false;
  if (!one.is_inner()) {
    const absl::StatusOr<RingEntry*> ring = allocator.rings().allocate(record.ring_slots);
    if (!ring.ok()) {
      allocator.release(*slot);
      return false;
    }
    one.ring = *ring;
    one.ring_slots = record.ring_slots;
  } else {
    allocator.add_inner_node();
  }
  allocator.prepare_histograms(*slot);
  one.from = move.from;
  one.to = {move.transmitter, *slot};
  if (has_queue) {
    transmitters_[move.transmitter]->buckets->prepare_queue(*slot);
    one.queue_profile = record.queue->profiles.back();
    one.queue.reserve(record.capacity + std::size_t{1}, kMostIdleFlows);
    one.came.reserve(record.capacity + std::size_t{1}, 0);
  } else {
    one.memory.resize(one.ring_slots);
  }
  if (!is_node) return true;
  one.node = move.share;
  if (spread != nullptr) one.node->parent = spread->part_on(move.transmitter).slot;
  transmitters_[move.transmitter]->buckets->prepare_node(
      *slot,
      move.share.guaranteed_units_per_second > 0 || move.share.guaranteed_bits_per_second > 0);
  return true;
}

void PollEngine::undo_move(const PlannedMove& one) {
  const std::unique_lock lock(allocators_mutex_);
  SlotAllocator& allocator = *allocators_[one.to.transmitter];
  if (one.is_inner()) {
    allocator.remove_inner_node();
  } else {
    allocator.rings().release(one.ring, one.ring_slots);
  }
  allocator.release(one.to.slot);
}

bool PollEngine::can_move_record(const SlotRecord& record) {
  if (record.rate_is_leased != 0) return false;
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
