// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's buckets: changes, all or none; leases; requests.
#include <algorithm>
#include <array>
#include <utility>

#include "datapath/poll_engine/bucket_stats.h"
#include "datapath/poll_engine/poll_engine.h"
#include "fmt/format.h"

namespace drip::datapath {
namespace {

// 0 of an inner node, which has none.
std::uint32_t ring_slots_for(const BucketSettings& settings) {
  if (settings.capacity == 0) return 0;
  // Packets in other queues are in the polling thread's pools.
  return settings.queue.is_plain() ? BucketRing::slots_for(settings.capacity)
                                   : BucketRing::kMinSlots;
}

// Bounds of one job, so that it holds the packet path up only briefly: changes; leases; entries of
// admit_many(), and no further entry once so many units are reached.
constexpr std::size_t kChangesAJob = 16;
constexpr std::size_t kLeasesAJob = 32;
constexpr std::size_t kEntriesAJob = 32;
constexpr std::uint32_t kUnitsAJob = 256;

}  // namespace

// ---- Changes

absl::Status PollEngine::check_packets(std::uint64_t reserved) const {
  const auto allowed = static_cast<std::uint64_t>(
      static_cast<double>(ports_.packets_for_buckets()) * options_.packet_overcommit);
  if (ports_.count() == 0 || reserved <= allowed) return absl::OkStatus();
  return absl::ResourceExhaustedError(fmt::format(
      "packet buffers: the capacities of all buckets with packets would add up to {}, "
      "and {} may be reserved; raise the node's packet buffers (--mbufs) or --overcommit",
      reserved, allowed));
}

std::uint64_t PollEngine::packets_reserved_after(std::span<const BucketChange> changes) const {
  std::uint64_t reserved = packets_reserved();
  for (const BucketChange& change : changes) {
    if (!change.ref) continue;
    const SlotRecord& record = allocators_[change.ref->transmitter]->record(change.ref->slot);
    if (record.holds_packets == 0) continue;
    reserved += change.settings.capacity;
    reserved -= record.capacity;
  }
  return reserved;
}

void PollEngine::reap() {
  reap_spreads();
  for (const auto& allocator : allocators_) allocator->reap();
  flow_rules_.reap(allocators_);
}

absl::Status PollEngine::plan(BucketChange& change, PlannedChange& planned,
                              std::span<const PlannedChange> before) {
  planned.change = &change;
  planned.is_new = !change.ref;
  const auto parent = find_parent(change, before);
  if (!parent.ok()) return parent.status();
  if (*parent) planned.parent = (*parent)->slot;
  const std::uint32_t wanted = ring_slots_for(change.settings);
  bool has_ring = false;
  if (change.ref) {
    planned.ref = *change.ref;
    planned.spread = find_spread(planned.ref);
    const SlotRecord& record = allocators_[planned.ref.transmitter]->record(planned.ref.slot);
    has_ring = wanted <= record.ring_slots;
    if (auto status = plan_queue(planned); !status.ok()) return status;
  } else {
    // A whole tree is on one transmitter.
    planned.ref.transmitter = *parent ? (*parent)->transmitter : next_transmitter();
    auto slot = allocators_[planned.ref.transmitter]->allocate();
    if (!slot.ok()) return slot.status();
    planned.ref.slot = *slot;
    if (auto status = plan_queue(planned); !status.ok()) {
      allocators_[planned.ref.transmitter]->release(planned.ref.slot);
      return status;
    }
  }
  if (change.node) {
    const NodeSettings& share = change.node->share;
    transmitter_of(planned.ref)
        .buckets->prepare_node(planned.ref.slot, share.guaranteed_units_per_second > 0 ||
                                                     share.guaranteed_bits_per_second > 0);
  }
  if (has_ring) return absl::OkStatus();
  if (wanted == 0) {  // An inner node.
    if (change.ref) return absl::OkStatus();
    SlotAllocator& allocator = *allocators_[planned.ref.transmitter];
    allocator.add_inner_node();
    if (!change.node->spread || transmitters_.size() == 1) return absl::OkStatus();
    absl::Status status = plan_spread(planned);
    if (status.ok()) return status;
    allocator.remove_inner_node();
    allocator.release(planned.ref.slot);
    return status;
  }
  auto ring = allocators_[planned.ref.transmitter]->rings().allocate(wanted);
  if (!ring.ok()) {
    if (!change.ref) allocators_[planned.ref.transmitter]->release(planned.ref.slot);
    return ring.status();
  }
  planned.ring = *ring;
  planned.ring_slots = wanted;
  return absl::OkStatus();
}

void PollEngine::undo(const PlannedChange& planned) {
  SlotAllocator& allocator = *allocators_[planned.ref.transmitter];
  if (planned.ring != nullptr) allocator.rings().release(planned.ring, planned.ring_slots);
  if (planned.change->ref) return;
  if (planned.ring == nullptr) allocator.remove_inner_node();
  allocator.release(planned.ref.slot);
  if (planned.new_spread != nullptr) {
    undo_spread(*planned.new_spread, static_cast<std::uint32_t>(transmitters_.size()));
  }
}

absl::Status PollEngine::check_rings(std::span<const BucketChange> changes) const {
  std::uint64_t bytes = 0;
  for (const BucketChange& change : changes) {
    const std::uint32_t wanted = ring_slots_for(change.settings);
    const std::uint32_t has =
        change.ref ? allocators_[change.ref->transmitter]->record(change.ref->slot).ring_slots : 0;
    if (wanted > has) bytes += RingMemory::bytes_for(wanted);
  }
  return allocators_.front()->rings().budget().check_room(bytes);
}

absl::Status PollEngine::apply(std::span<BucketChange> changes) {
  if (absl::Status status = check_moves(changes); !status.ok()) return status;
  std::vector<PlannedChange> planned(changes.size());
  {
    const std::unique_lock lock(allocators_mutex_);
    reap();
    if (auto status = check_packets(packets_reserved_after(changes)); !status.ok()) return status;
    if (auto status = check_rings(changes); !status.ok()) return status;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const std::span before = std::span(planned).first(i);
      if (auto status = plan(changes[i], planned[i], before); !status.ok()) {
        for (std::size_t done = i; done-- > 0;) undo(planned[done]);
        return status;
      }
    }
    add_parts(planned);
  }
  // Sorted by transmitter, since a job runs on one thread.
  std::stable_sort(planned.begin(), planned.end(),
                   [](const PlannedChange& a, const PlannedChange& b) {
                     return a.ref.transmitter < b.ref.transmitter;
                   });
  for (std::size_t begin = 0; begin < planned.size();) {
    std::size_t end = begin;
    while (end < planned.size() && end - begin < kChangesAJob &&
           planned[end].ref.transmitter == planned[begin].ref.transmitter) {
      ++end;
    }
    commit(std::span(planned).subspan(begin, end - begin));
    begin = end;
  }
  // The order within a transmitter is that of `changes`: parents first.
  std::vector<const PlannedChange*> nodes;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    if (planned[i].change->node) nodes.push_back(&planned[i]);
    const bool last =
        i + 1 == planned.size() || planned[i + 1].ref.transmitter != planned[i].ref.transmitter;
    if (!last || nodes.empty()) continue;
    link_nodes(planned[i].ref.transmitter, nodes);
    nodes.clear();
  }
  const std::unique_lock lock(allocators_mutex_);
  keep_spreads(planned);
  return absl::OkStatus();
}

void PollEngine::commit(std::span<PlannedChange> planned) {
  PollThread& thread = *transmitters_[planned.front().ref.transmitter];
  std::array<RingEntry*, kChangesAJob> replaced{};
  const std::lock_guard leases_lock(leases_mutex_);
  std::array<LeaseTerms*, kChangesAJob> ended{};  // Of buckets whose rate is no longer leased.
  {
    const std::shared_lock lock(allocators_mutex_);
    const SlotAllocator& allocator = *allocators_[planned.front().ref.transmitter];
    for (std::size_t i = 0; i < planned.size(); ++i) {
      if (planned[i].is_new || planned[i].settings().rate_is_leased) continue;
      SlotLease* const leased = allocator.record(planned[i].ref.slot).leased.get();
      if (leased != nullptr) ended[i] = &leased->terms;
    }
  }
  thread.mailbox.run([&](TimePoint now) {
    for (std::size_t i = 0; i < planned.size(); ++i) {
      const PlannedChange& one = planned[i];
      if (!one.is_new) {
        if (ended[i] != nullptr) thread.end_lease(*ended[i], now);
        replaced[i] =
            thread.change_bucket(one.ref.slot, one.settings(), one.ring, one.ring_slots, now);
      } else {
        thread.create_bucket(one.ref.slot, one.settings(), one.ring, one.ring_slots, now);
      }
      if (one.spread != nullptr) apply_part(thread, one, now);
      if (one.queue_profile != nullptr) {
        thread.set_queue(one.ref.slot, *one.queue_profile, one.dual_queue.get());
      }
    }
  });
  const std::unique_lock lock(allocators_mutex_);
  SlotAllocator& allocator = *allocators_[planned.front().ref.transmitter];
  for (std::size_t i = 0; i < planned.size(); ++i) {
    SlotRecord& record = allocator.record(planned[i].ref.slot);
    if (replaced[i] != nullptr) allocator.rings().release(replaced[i], record.ring_slots);
    if (record.holds_packets != 0) {
      packets_reserved_for_buckets_ += planned[i].change->settings.capacity;
      packets_reserved_for_buckets_ -= record.capacity;
    }
    record.set(planned[i].change->settings);
    keep_queue(record, planned[i]);
    if (const auto& node = planned[i].change->node) {
      record.is_node = static_cast<std::uint32_t>(node->inner || planned[i].parent != kNoNode);
    }
    if (planned[i].ring != nullptr) {
      record.ring = planned[i].ring;
      record.ring_slots = planned[i].ring_slots & kMaxRingSlots;
    }
    if (!planned[i].is_other_part()) planned[i].change->ref = planned[i].ref;
  }
}

Removal PollEngine::remove(BucketRef bucket, bool drop_backlog) {
  bool is_spread = false;
  {
    const std::shared_lock lock(allocators_mutex_);
    is_spread = find_spread(bucket) != nullptr;
  }
  if (is_spread) return remove_spread(bucket, drop_backlog);
  PollThread& thread = transmitter_of(bucket);
  const std::lock_guard leases_lock(leases_mutex_);
  std::unique_ptr<SlotLease> leased;
  {
    const std::unique_lock lock(allocators_mutex_);
    leased = std::move(allocators_[bucket.transmitter]->record(bucket.slot).leased);
  }
  const Removal removal = thread.mailbox.run([&](TimePoint now) {
    // Previous rules may have handed packets over for this bucket.
    thread.drain_hand_offs(now);
    // A paused bucket would never drain.
    const bool leaks = leased != nullptr ? thread.end_lease(leased->terms, now)
                                         : (*thread.buckets)[bucket.slot].paused == 0;
    return thread.remove_bucket(bucket.slot, drop_backlog || !leaks, now);
  });
  const std::unique_lock lock(allocators_mutex_);
  SlotAllocator& allocator = *allocators_[bucket.transmitter];
  allocator.release_when_retired(bucket.slot);
  allocator.reap();
  return removal;
}

BucketStats PollEngine::read(BucketRef bucket) const {
  const std::shared_lock lock(allocators_mutex_);
  PollThread& thread = transmitter_of(bucket);
  const SlotRecord& record = allocators_[bucket.transmitter]->record(bucket.slot);
  // Before the bytes that have departed, so that they are never more.
  const std::uint64_t green_bytes =
      record.is_node == 0 ? 0 : thread.buckets->array().trees.nodes[bucket.slot].green_bytes.get();
  BucketStats stats =
      read_bucket((*thread.buckets)[bucket.slot], thread.buckets->histograms(bucket.slot), record,
                  thread.leases().lapses());
  if (record.queue != nullptr) stats.queue = thread.buckets->queues()[bucket.slot].read();
  if (record.is_node != 0) {
    stats.node_state = thread.buckets->array().trees.nodes[bucket.slot].state;
    stats.green_bytes = green_bytes;
  }
  if (record.capacity == 0) {
    if (const SpreadBucket* const spread = find_spread(bucket)) read_spread(*spread, stats);
  }
  return stats;
}

std::uint64_t PollEngine::backlog(BucketRef bucket) const {
  return (*transmitter_of(bucket).buckets)[bucket.slot].backlog.get();
}

ArrivalCounts PollEngine::arrivals(BucketRef bucket) const {
  const PollThread& thread = transmitter_of(bucket);
  const Bucket& read = (*thread.buckets)[bucket.slot];
  if (read.capacity != 0) return read_arrivals(read);  // No inner node.
  ArrivalCounts counts;
  counts.units = read.departed.get();
  counts.bytes = read.departed_bytes.get();
  counts.waits = thread.buckets->array().trees.nodes[bucket.slot].state != NodeState::kIdle;
  const std::shared_lock lock(allocators_mutex_);
  const SpreadBucket* const spread = find_spread(bucket);
  if (spread == nullptr) return counts;
  BucketStats sums;
  read_spread(*spread, sums);
  counts.units = sums.departed;
  counts.bytes = sums.departed_bytes;
  counts.waits = sums.node_state != NodeState::kIdle;
  return counts;
}

// ---- Leases

LeaseTerms* PollEngine::remember(const LeaseChange& change, std::uint64_t lapses) {
  SlotRecord& record = allocators_[change.bucket.transmitter]->record(change.bucket.slot);
  if (record.rate_is_leased == 0) return nullptr;
  if (record.leased == nullptr) {
    record.leased = std::make_unique<SlotLease>();
    record.leased->terms.slot = change.bucket.slot;
  }
  record.leased->lease = change.lease;
  record.leased->lapses_before = lapses;
  return &record.leased->terms;
}

void PollEngine::lease(std::span<const LeaseChange> leases) {
  std::array<LeaseTerms*, kLeasesAJob> terms;
  std::array<const RateLease*, kLeasesAJob> job;
  for (std::uint32_t to = 0; to < transmitters_.size(); ++to) {
    PollThread& thread = *transmitters_[to];
    for (std::size_t next = 0; next < leases.size();) {
      const std::lock_guard leases_lock(leases_mutex_);
      std::size_t count = 0;
      {
        const std::unique_lock lock(allocators_mutex_);
        for (; next < leases.size() && count < kLeasesAJob; ++next) {
          if (leases[next].bucket.transmitter != to) continue;
          terms[count] = remember(leases[next], thread.leases().lapses());
          job[count] = &leases[next].lease;
          if (terms[count] != nullptr) ++count;
        }
      }
      if (count == 0) continue;
      thread.mailbox.run([&](TimePoint now) {
        for (std::size_t i = 0; i < count; ++i) thread.apply_lease(*terms[i], *job[i], now);
      });
    }
  }
}

void PollEngine::set_lease_ends(LeaseEnds ends) {
  for (PollThread* const thread : transmitters_) thread->leases().set_ends(ends);
}

std::uint64_t PollEngine::lapses() const {
  std::uint64_t sum = 0;
  for (PollThread* const thread : transmitters_) sum += thread->leases().lapses();
  return sum;
}

// ---- Requests

Admission PollEngine::admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes,
                            WaitLimits limits) {
  PollThread& thread = transmitter_of(bucket);
  thread.buckets->prepare_histograms(bucket.slot);
  return thread.mailbox.run([&](TimePoint now) {
    return thread.admit_request(bucket.slot, record, wire_bytes, limits, now);
  });
}

bool PollEngine::wants_larger_ring(BucketRef bucket) const {
  const std::shared_lock lock(allocators_mutex_);
  const SlotRecord& record = allocators_[bucket.transmitter]->record(bucket.slot);
  const std::uint32_t slots = record.ring_slots;
  if (Scheduler::has_slots_for_releases(slots, record.capacity)) return false;
  return !Scheduler::has_slots_for_releases(
      slots, (*transmitter_of(bucket).buckets)[bucket.slot].ring.size());
}

void PollEngine::enlarge_ring(BucketRef bucket, const RequestRecord& request) {
  PollThread& thread = transmitter_of(bucket);
  // Over the job, so that no change of this bucket comes between the job and its record.
  const std::unique_lock lock(allocators_mutex_);
  SlotAllocator& allocator = *allocators_[bucket.transmitter];
  SlotRecord& record = allocator.record(bucket.slot);
  const std::uint32_t slots = 2 * record.ring_slots;
  const absl::StatusOr<RingEntry*> ring = allocator.rings().allocate(slots);
  if (!ring.ok()) return;  // It works without, at a higher cost.
  RingEntry* const replaced = thread.mailbox.run(
      [&](TimePoint) { return thread.move_ring(bucket.slot, request, record.ring, *ring, slots); });
  if (replaced == nullptr) return allocator.rings().release(*ring, slots);
  allocator.rings().release(replaced, record.ring_slots);
  record.ring = *ring;
  record.ring_slots = slots & kMaxRingSlots;
}

void PollEngine::release(BucketRef bucket, RequestRecord& record) {
  PollThread& thread = transmitter_of(bucket);
  if (wants_larger_ring(bucket)) enlarge_ring(bucket, record);
  thread.mailbox.run([&](TimePoint now) { thread.release_request(bucket.slot, record, now); });
}

void PollEngine::admit_many(std::span<UnitsToAdmit> units) {
  std::array<UnitsToAdmit*, kEntriesAJob> job;
  for (std::uint32_t to = 0; to < transmitters_.size(); ++to) {
    PollThread& thread = *transmitters_[to];
    std::size_t entries = 0;
    std::uint32_t unit_count = 0;
    const auto run_job = [&] {
      thread.mailbox.run(
          [&](TimePoint now) { thread.admit_units(std::span(job).first(entries), now); });
      entries = 0;
      unit_count = 0;
    };
    for (UnitsToAdmit& one : units) {
      if (one.bucket.transmitter != to) continue;
      thread.buckets->prepare_histograms(one.bucket.slot);
      job[entries++] = &one;
      unit_count += one.count;
      if (entries == job.size() || unit_count >= kUnitsAJob) run_job();
    }
    if (entries > 0) run_job();
  }
}

Duration PollEngine::busy_for(BucketRef bucket) {
  PollThread& thread = transmitter_of(bucket);
  return thread.mailbox.run([&](TimePoint now) { return thread.busy_for(bucket.slot, now); });
}

void PollEngine::occupy(BucketRef bucket, Duration busy) {
  PollThread& thread = transmitter_of(bucket);
  thread.buckets->prepare_histograms(bucket.slot);
  thread.mailbox.run([&](TimePoint now) { thread.occupy(bucket.slot, busy, now); });
}

}  // namespace drip::datapath
