// SPDX-License-Identifier: BSD-3-Clause
// The shaper as one class, for applications that embed libdrip: leaky buckets over the caller's
// packets. docs/guide/library.md is its guide.
#pragma once

#include <algorithm>
#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "drip/bucket_counters.h"
#include "drip/internal/ring_pool.h"
#include "drip/internal/shaper_queues.h"
#include "drip/read_bucket_counters.h"
#include "drip/result.h"
#include "drip/scheduler.h"
#include "drip/settings_check.h"
#include "drip/tree/tree_check.h"
#include "drip/tree/tree_memory.h"

namespace drip {

struct ShaperOptions {
  std::uint32_t max_buckets = 1024;  ///< At one time: 1 to kMaxShaperBuckets.
  /// Of all buckets together: 1 to kMaxShaperRingSlots. A bucket takes BucketRing::slots_for(its
  /// capacity), 16 bytes each.
  std::uint32_t ring_slots = 1U << 16;
  TimePoint start;  ///< The time of the caller's clock; no call is given an earlier one.
  /// Of max_buckets, how many may be inner nodes of trees: 0 to max_buckets. 0: no trees.
  std::uint32_t max_inner_nodes = 0;
  /// Packets in queues other than plain FIFO, of all buckets together: up to kMaxQueueIndex. 0: no
  /// bucket has such a queue.
  std::uint32_t max_queued_packets = 0;
  /// Flows that have packets or AQM state there: up to kMaxQueueIndex. 0: max_queued_packets.
  std::uint32_t max_queue_flows = 0;
  /// Keys the hash of flows. 0: drawn from std::random_device, as senders choose the headers.
  std::uint64_t queue_seed = 0;
};
inline constexpr std::uint32_t kMaxShaperBuckets = 1U << 24;
inline constexpr std::uint32_t kMaxShaperRingSlots = 1U << 31;

[[nodiscard]] inline std::optional<Error> check(const ShaperOptions& options) {
  using internal::check_range;
  if (auto error = check_range("max_buckets", options.max_buckets, 1U, kMaxShaperBuckets)) {
    return error;
  }
  if (auto error = check_range("ring_slots", options.ring_slots, 1U, kMaxShaperRingSlots)) {
    return error;
  }
  if (auto error =
          check_range("max_queued_packets", options.max_queued_packets, 0U, kMaxQueueIndex)) {
    return error;
  }
  if (auto error = check_range("max_queue_flows", options.max_queue_flows, 0U, kMaxQueueIndex)) {
    return error;
  }
  return check_range("max_inner_nodes", options.max_inner_nodes, 0U, options.max_buckets);
}

/// Who is told of packets in queues: `dropped(packet, reason)` gives one back, `marked(packet)`
/// says that it is to be marked Congestion Experienced, before it departs.
template <class T, class Packet>
concept QueueHandler = requires(T handler, Packet* packet, QueueDrop reason) {
  { handler.dropped(packet, reason) } -> std::same_as<void>;
  { handler.marked(packet) } -> std::same_as<void>;
};

/// Packets are enqueued to leaky buckets and dequeued when they may depart. A packet is referred to
/// by its address alone and never read. Packets that wait belong to the shaper, others to the
/// caller.
///
/// Belongs to one thread; hand packets over from others with an SpscRing or an rte_ring. Only
/// stats() and lateness() may be called by any thread. Every call is given the time `now`, which
/// never goes backwards. All memory is allocated in the constructor; after that only the text of an
/// error is, and what the queue of a bucket goes by.
template <class Packet>
class Shaper {
  static_assert(!std::is_const_v<Packet> && !std::is_reference_v<Packet>);

 public:
  /// Numbers from 0 to max_buckets - 1; that of a removed bucket is used again.
  using BucketId = std::uint32_t;

  struct Arrival {
    BucketId bucket;
    std::uint32_t frame_bytes;  ///< Layer 2, without FCS; BucketSettings makes wire bytes of it.
    Packet* packet;             ///< Of any alignment, below 2^48, not null.
  };

  /// Throws std::invalid_argument if check(options) has an error, and std::bad_alloc.
  explicit Shaper(const ShaperOptions& options)
      : size_(checked(options).max_buckets),
        buckets_(std::make_unique<Bucket[]>(size_)),
        histograms_(std::make_unique<LatencyHistograms[]>(size_)),
        tree_memory_(options.max_inner_nodes == 0 ? 0 : size_, options.max_inner_nodes),
        rings_(options.ring_slots),
        queues_(size_, options.max_queued_packets, options.max_queue_flows, options.queue_seed),
        scheduler_({buckets_.get(), histograms_.get(), size_, tree_memory_.arrays()},
                   options.start) {
    scheduler_.set_queues(queues_.queues());
    draining_.reserve(size_);
    free_.reserve(size_);
    for (std::uint32_t id = size_; id-- > 0;) free_.push_back(id);
  }
  Shaper(const Shaper&) = delete;
  Shaper& operator=(const Shaper&) = delete;

  // ---- Buckets

  /// An error names the field, or says how much of max_buckets or ring_slots is free.
  Result<BucketId> add_bucket(const BucketSettings& settings, TimePoint now) {
    return add_bucket(settings, NodeSettings{}, now);
  }
  /// A leaf of a tree: `share.parent` is an inner node. An error names the field and what is
  /// allowed: a parent that may have children, the depth, the guarantees that it has left.
  Result<BucketId> add_bucket(const BucketSettings& settings, const NodeSettings& share,
                              TimePoint now) {
    if (auto error = check_settings(settings)) return *error;
    if (auto error = tree_check().check_node(kNoNode, settings, share)) return *error;
    if (auto error = queues_.check(settings, 0, nullptr)) return *error;
    take_back_drained();
    if (free_.empty()) {
      return Error{"max_buckets: all " + std::to_string(size_) + " buckets are in use"};
    }
    const std::uint32_t slots = ring_slots_of(settings);
    RingEntry* const ring = rings_.allocate(slots);
    if (ring == nullptr) return no_ring(slots);
    const BucketId id = free_.back();
    free_.pop_back();
    scheduler_.create(id, settings, ring, slots, now);
    queues_.assign(scheduler_, settings, id, now);
    scheduler_.set_node(id, share, now);
    return id;
  }
  /// A root (`share.parent` kNoNode) or an inner node of a tree. It holds no packets: capacity is
  /// 0; a rate of 0 means that it has no ceiling. Takes one of max_inner_nodes.
  Result<BucketId> add_inner_node(const BucketSettings& settings, const NodeSettings& share,
                                  TimePoint now) {
    if (auto error = check_inner_settings(settings)) return *error;
    if (auto error = tree_check().check_node(kNoNode, settings, share)) return *error;
    take_back_drained();
    const TreeStructure& structure = scheduler_.tree().structure();
    if (free_.empty()) {
      return Error{"max_buckets: all " + std::to_string(size_) + " buckets are in use"};
    }
    if (structure.inner_nodes() == structure.max_inner_nodes()) {
      return Error{"max_inner_nodes: all " + std::to_string(structure.max_inner_nodes()) +
                   " inner nodes are in use"};
    }
    const BucketId id = free_.back();
    free_.pop_back();
    scheduler_.create_inner(id, settings, now);
    scheduler_.set_node(id, share, now);
    return id;
  }
  /// Gives a bucket another parent or none, with all that waits in it and below it, or changes its
  /// guarantee, weight, priority or tolerance. With an error nothing has changed.
  [[nodiscard]] std::optional<Error> change_node(BucketId id, const NodeSettings& share,
                                                 TimePoint now) {
    if (!has_bucket(id)) return no_bucket(id);
    BucketSettings ceiling;
    ceiling.units_per_second = buckets_[id].periods.true_units_per_second();
    ceiling.bits_per_second = buckets_[id].periods.true_bits_per_second();
    if (auto error = tree_check().check_node(id, ceiling, share)) return error;
    scheduler_.set_node(id, share, now);
    return std::nullopt;
  }
  /// Changes a bucket and keeps its backlog: what is left of the service in progress is rescaled to
  /// the new rate. If the capacity is less than the backlog nothing is admitted until it fits. With
  /// an error nothing has changed.
  [[nodiscard]] std::optional<Error> change_bucket(BucketId id, const BucketSettings& settings,
                                                   TimePoint now) {
    const bool inner = is_inner(id);
    if (auto error = inner ? check_inner_settings(settings) : check_settings(settings)) {
      return error;
    }
    if (!has_bucket(id)) return no_bucket(id);
    if (auto error = tree_check().check_change(id, settings)) return error;
    if (auto error = queues_.check(settings, id, &buckets_[id])) return error;
    if (inner) {
      scheduler_.change(id, settings, nullptr, 0, now);
      return std::nullopt;
    }
    const std::uint32_t slots = ring_slots_of(settings);
    const std::uint32_t slots_before = buckets_[id].ring.slot_count();
    RingEntry* ring = nullptr;
    if (slots > slots_before) {
      take_back_drained();
      ring = rings_.allocate(slots);
      if (ring == nullptr) return no_ring(slots);
    }
    RingEntry* const old = scheduler_.change(id, settings, ring, slots, now);
    queues_.assign(scheduler_, settings, id, now);
    if (old != nullptr) rings_.release(old, slots_before);
    return std::nullopt;
  }
  /// Removes a bucket that exists, or that drains, with all that is below it, and gives each packet
  /// that waits back to the caller: `dropped(Packet*)`. Returns how many; 0 if there is no such
  /// bucket.
  template <std::invocable<Packet*> Dropped>
  std::uint64_t remove_bucket(BucketId id, Dropped dropped) {
    if (id >= size_ || (!has_bucket(id) && state_of(id) != BucketPhase::kDraining)) return 0;
    std::uint64_t count = 0;
    end_with_all_below(id, [&](BucketId leaf) {
      count += scheduler_.drop_backlog(
          leaf, [&](UnitRef unit) { dropped(static_cast<Packet*>(unit.whole_address())); });
    });
    return count;
  }
  /// The bucket, and all that is below it, admits nothing from now on; what waits departs at its
  /// rate, then the bucket is removed. Returns how many packets wait; 0 if there is no such bucket.
  std::uint64_t drain_bucket(BucketId id) {
    std::uint64_t waiting = 0;
    if (has_bucket(id)) {
      end_with_all_below(id, [&](BucketId leaf) { waiting += buckets_[leaf].backlog.get(); });
    }
    return waiting;
  }
  /// Whether the bucket exists and is not draining.
  [[nodiscard]] bool has_bucket(BucketId id) const {
    return id < size_ && state_of(id) == BucketPhase::kActive;
  }

  // ---- Packets

  /// For buckets with plain FIFO queues. kAdmitted: the packet waits in its bucket. Anything else:
  /// it is the caller's still, and counted. A bucket that does not exist rejects with kDraining.
  /// REQUIRES: id < max_buckets.
  [[nodiscard]] RejectReason enqueue(BucketId id, Packet* packet, std::uint32_t frame_bytes,
                                     TimePoint now) {
    Bucket& bucket = bucket_of(id);
    const std::uint32_t wire_bytes = bucket.wire_bytes(frame_bytes);
    if (wire_bytes > kMaxWireBytes) [[unlikely]] {
      count_rejected(bucket, RejectReason::kTooLong, wire_bytes);
      return RejectReason::kTooLong;
    }
    return scheduler_.admit(id, {UnitRef::whole(packet, wire_bytes), now}, wire_bytes);
  }
  /// The same of a packet for a bucket with any queue. kAdmitted: it waits, or `handler` has got it
  /// back; others may have been dropped for it. REQUIRES: id < max_buckets.
  template <QueueHandler<Packet> Handler>
  [[nodiscard]] RejectReason enqueue(BucketId id, Packet* packet, std::uint32_t frame_bytes,
                                     const QueueInput& input, TimePoint now, Handler& handler) {
    Bucket& bucket = bucket_of(id);
    const std::uint32_t wire_bytes = bucket.wire_bytes(frame_bytes);
    if (wire_bytes > kMaxWireBytes) [[unlikely]] {
      count_rejected(bucket, RejectReason::kTooLong, wire_bytes);
      return RejectReason::kTooLong;
    }
    QueuedBurst<Handler> burst{{}, handler};
    return scheduler_.admit_packet(id, UnitRef::whole(packet, wire_bytes), input, now, burst);
  }
  /// The same for a burst, at a lower cost a packet. Calls `rejected(Packet*, RejectReason)` for
  /// those that are not admitted; returns how many are.
  template <std::invocable<Packet*, RejectReason> Rejected>
  std::size_t enqueue(std::span<const Arrival> burst, TimePoint now, Rejected rejected) {
    for (const Arrival& arrival : burst) scheduler_.prefetch(arrival.bucket);
    for (const Arrival& arrival : burst) scheduler_.prefetch_behind(arrival.bucket);
    std::size_t admitted = 0;
    for (const Arrival& arrival : burst) {
      const RejectReason reason = enqueue(arrival.bucket, arrival.packet, arrival.frame_bytes, now);
      if (reason == RejectReason::kAdmitted) [[likely]] {
        ++admitted;
      } else {
        rejected(arrival.packet, reason);
      }
    }
    return admitted;
  }
  /// True: the packet departs now and has been counted; the caller transmits it, it does not come
  /// out of dequeue(). False: nothing has changed, and it is to be enqueued. So a packet that finds
  /// its bucket idle costs less than half, if the bucket departs at the START and has no
  /// capacity_bytes. REQUIRES: id < max_buckets.
  [[nodiscard]] bool cut_through(BucketId id, std::uint32_t frame_bytes, TimePoint now) {
    const std::uint32_t wire_bytes = bucket_of(id).wire_bytes(frame_bytes);
    if (wire_bytes > kMaxWireBytes || !scheduler_.can_cut_through(id, now)) return false;
    scheduler_.cut_through(id, wire_bytes, now, now);
    return true;
  }

  /// Takes up to out.size() packets that are due; returns how many. Fewer than out.size() means
  /// that no more are due. Packets of one bucket come in the order in which they were enqueued;
  /// buckets in the order of their due times, to 128 ns. REQUIRES: no bucket has another queue than
  /// plain FIFO.
  std::size_t dequeue(TimePoint now, std::span<Packet*> out) {
    Burst burst{out};
    return dequeue_into(now, out, burst);
  }
  /// The same with buckets of any queue, whose packets come in the order of their queue.
  template <QueueHandler<Packet> Handler>
  std::size_t dequeue(TimePoint now, std::span<Packet*> out, Handler& handler) {
    QueuedBurst<Handler> burst{{out}, handler};
    return dequeue_into(now, out, burst);
  }
  /// When the next packet is due, exactly if that is within some minutes of the last
  /// dequeue(); otherwise a time before it at which to ask again. None if no packet waits.
  [[nodiscard]] std::optional<TimePoint> next_departure() const {
    return scheduler_.next_departure();
  }

  /// Drops all that waits: gives each packet back to the caller; returns how many. To be called
  /// before the shaper is destroyed, which frees no packets.
  template <std::invocable<Packet*> Dropped>
  std::uint64_t drop_all(Dropped dropped) {
    return scheduler_.drop_all(
        [&](UnitRef unit) { dropped(static_cast<Packet*>(unit.whole_address())); });
  }

  // ---- Statistics

  /// Counters and latencies of a bucket. Any thread. REQUIRES: id < max_buckets.
  [[nodiscard]] BucketCounters stats(BucketId id) const {
    assert(id < size_);
    BucketCounters counters = read_bucket_counters(buckets_[id], histograms_[id]);
    const TreeNode* const nodes = tree_memory_.arrays().nodes;
    if (nodes != nullptr) counters.green_bytes = nodes[id].green_bytes.get();
    return counters;
  }
  /// What became of packets in a bucket's queue. Any thread. REQUIRES: id < max_buckets.
  [[nodiscard]] QueueCounters queue_stats(BucketId id) const {
    assert(id < size_);
    return queues_.read(id);
  }
  /// How late the packets of all buckets have departed. Any thread.
  [[nodiscard]] HistogramCounts lateness() const { return scheduler_.lateness().read(); }
  /// Of the memory for rings.
  [[nodiscard]] std::uint64_t free_ring_slots() const { return rings_.free_slots(); }

 private:
  // A DepartureSink.
  struct Burst {
    std::span<Packet*> out;
    std::size_t count = 0;

    [[nodiscard]] bool has_room(UnitRef) const { return true; }
    void departed(UnitRef unit, TimePoint, Duration) {
      out[count++] = static_cast<Packet*>(unit.whole_address());
    }
  };

  template <class Handler>
  struct QueuedBurst : Burst {
    Handler& handler;

    void dropped(UnitRef unit, QueueDrop reason) {
      handler.dropped(static_cast<Packet*>(unit.whole_address()), reason);
    }
    void marked(UnitRef unit) { handler.marked(static_cast<Packet*>(unit.whole_address())); }
  };

  template <class Sink>
  std::size_t dequeue_into(TimePoint now, std::span<Packet*> out, Sink& burst) {
    while (burst.count < out.size()) {
      // Room for what each bucket may send, so that none has to be held.
      const std::size_t room = out.size() - burst.count;
      Scheduler::Limits limits = Scheduler::kDefaultLimits;
      limits.buckets = static_cast<std::uint32_t>(std::min<std::size_t>(limits.buckets, room));
      limits.units =
          static_cast<std::uint32_t>(std::min<std::size_t>(limits.units, room / limits.buckets));
      if (!scheduler_.serve_due(now, burst, limits).more_is_due) break;
    }
    return burst.count;
  }

  // Packets in other queues than the ring are in the pools.
  static std::uint32_t ring_slots_of(const BucketSettings& settings) {
    return settings.queue.is_plain() ? BucketRing::slots_for(settings.capacity)
                                     : BucketRing::kMinSlots;
  }
  static const ShaperOptions& checked(const ShaperOptions& options) {
    if (const auto error = check(options)) throw std::invalid_argument(error->message);
    return options;
  }
  static std::optional<Error> check_settings(const BucketSettings& settings) {
    if (settings.rate_is_leased) return Error{"rate_is_leased: true given, false allowed"};
    return check(settings);
  }
  static std::optional<Error> check_inner_settings(const BucketSettings& settings) {
    if (settings.rate_is_leased) return Error{"rate_is_leased: true given, false allowed"};
    return check_inner(settings);
  }
  [[nodiscard]] TreeCheck tree_check() const {
    return {scheduler_.buckets(), scheduler_.tree().structure()};
  }
  [[nodiscard]] bool is_inner(BucketId id) const {
    return id < size_ && buckets_[id].in_tree != 0 && scheduler_.tree().structure().is_inner(id);
  }
  static Error no_bucket(BucketId id) {
    return Error{"bucket: " + std::to_string(id) + " does not exist"};
  }
  [[nodiscard]] Error no_ring(std::uint32_t slots) const {
    return Error{"capacity: its ring takes " + std::to_string(slots) + " slots in one piece, " +
                 std::to_string(rings_.free_slots()) + " of ring_slots " +
                 std::to_string(rings_.slots()) + " are free"};
  }
  [[nodiscard]] BucketPhase state_of(BucketId id) const {
    return buckets_[id].state.load(std::memory_order_relaxed);
  }
  Bucket& bucket_of(BucketId id) {
    assert(id < size_);
    return buckets_[id];
  }

  // A bucket and all below it are removed when they have drained. Calls `leaf(BucketId)` for each
  // that may have packets.
  template <class Leaf>
  void end_with_all_below(BucketId id, Leaf leaf) {
    if (state_of(id) == BucketPhase::kActive) draining_.push_back(id);
    const bool inner = is_inner(id);
    if (!inner) leaf(id);
    const TreeStructure& structure = scheduler_.tree().structure();
    std::uint32_t child = inner ? structure.first_child(id) : kNoNode;
    scheduler_.drain(id);
    while (child != kNoNode) {
      const std::uint32_t next = structure.next_sibling(child);
      end_with_all_below(child, leaf);
      child = next;
    }
  }
  // Buckets that have drained since are free again.
  void take_back_drained() {
    std::erase_if(draining_, [&](BucketId id) {
      Bucket& bucket = buckets_[id];
      if (state_of(id) != BucketPhase::kRetired) return false;
      if (bucket.capacity != 0) rings_.release(bucket.ring.memory(), bucket.ring.slot_count());
      queues_.release(id);
      bucket.state.store(BucketPhase::kFree, std::memory_order_relaxed);
      free_.push_back(id);
      return true;
    });
  }

  std::uint32_t size_;
  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<LatencyHistograms[]> histograms_;
  TreeMemory tree_memory_;
  RingPool rings_;
  internal::ShaperQueues queues_;
  Scheduler scheduler_;
  std::vector<BucketId> free_;      // The last one is used next.
  std::vector<BucketId> draining_;  // Not taken back yet.
};

}  // namespace drip
