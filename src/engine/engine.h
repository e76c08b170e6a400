// SPDX-License-Identifier: BSD-3-Clause
// The interface between control and the polling threads: all that control asks of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/call_types.h"
#include "engine/lease.h"
#include "engine/request_record.h"
#include "engine/rule_snapshot.h"
#include "engine/stats.h"

namespace drip {

class CaptureRing;
struct SampleRing;

/// Buckets, rules and statistics of one node. A call that changes something returns once the
/// polling threads have applied it. Calls for which nothing else is said may come from any thread
/// at any time. A BucketRef argument must be of a bucket that apply() created and remove() has not
/// removed.
class Engine {
 public:
  static constexpr std::size_t kMaxMovesACall = 512;
  /// move() makes so many moves together: the more there are, the longer each of them waits.
  static constexpr std::size_t kMovesTogether = 16;
  /// A tree of more nodes does not move.
  static constexpr std::size_t kMostNodesOfAMove = 64;
  /// A polling thread takes over so many packets, or one bucket, in one of its loops; of buckets
  /// with fair queues one.
  static constexpr std::size_t kMovedPacketsTogether = 4096;

  virtual ~Engine() = default;

  // ---- Buckets. The caller serialises apply(), remove(), move() and the calls on rules.

  /// Creates and changes buckets, all of them or none. A change keeps the backlog and rescales the
  /// rest of the present service. RESOURCE_EXHAUSTED, with the amount that was needed, if slots,
  /// ring memory or packet buffers are short. Trees change at one moment, as far as units wait in
  /// them; FAILED_PRECONDITION for a parent on another polling thread, and if more than
  /// kMaxMovesACall buckets that exist get another parent. REQUIRES: the changes make trees
  /// (control/model/check_trees.h), and each comes after that of its parent.
  virtual absl::Status apply(std::span<BucketChange> changes) = 0;
  /// Removes a bucket; its backlog is dropped, or leaks until it is empty. REQUIRES: no rule of the
  /// present snapshot refers to it, and its children have been removed before.
  virtual Removal remove(BucketRef bucket, bool drop_backlog) = 0;
  /// Moves buckets to other transmitters, with what waits in them and all that was counted, in the
  /// order of their packets. Nodes of a tree move together, but for leaves right below a spread
  /// root, which move alone. Those that cannot move stay, and the whole of their tree: buckets with
  /// DualPI2, leases or waiting requests, those that are captured, large ones, fair queues in which
  /// much waits, and where there is no memory. REQUIRES: no other call concerns these buckets
  /// meanwhile; no per-flow rule has its buckets in such a tree.
  virtual void move(std::span<BucketMove> moves) = 0;
  [[nodiscard]] virtual BucketStats read(BucketRef bucket) const = 0;
  /// read().backlog alone, at less cost.
  [[nodiscard]] virtual std::uint64_t backlog(BucketRef bucket) const = 0;
  /// The part of read() that tells how much is wanted, for callers that look at very many buckets.
  /// `bucket` may have been removed: then these are of no bucket, or of a later one.
  [[nodiscard]] virtual ArrivalCounts arrivals(BucketRef bucket) const = 0;

  /// Frames of a bucket's packets are copied to `capture`, until end_capture(), after which it is
  /// not used any more. Meanwhile the bucket does not move. REQUIRES: no other capture of a bucket
  /// of that transmitter; begin_capture() is serialised with remove() and move().
  virtual void begin_capture(BucketRef bucket, CaptureRing& capture) = 0;
  /// The same for the bucket of a flow. False: the flow has ended, and nothing has begun. REQUIRES:
  /// `flow_rule` is not removed meanwhile.
  [[nodiscard]] virtual bool begin_flow_capture(std::uint32_t flow_rule, const FlowPlace& flow,
                                                CaptureRing& capture) = 0;
  /// Whether the bucket for which a capture began is still there. Where its place has another
  /// bucket by now, frames of that one are not copied.
  [[nodiscard]] virtual bool is_captured(BucketRef bucket) = 0;
  /// `bucket` may have been removed.
  virtual void end_capture(BucketRef bucket) = 0;

  /// From now on worker i puts samples of the packets that it receives into rings[i], until
  /// end_sampling(), after which they are not used any more. REQUIRES: worker_count() rings.
  virtual void begin_sampling(std::span<SampleRing* const> rings) = 0;
  virtual void end_sampling() = 0;

  // ---- Leases, of buckets with `rate_is_leased`

  /// Applies leases: the rest of the present service is rescaled, as with any change of rate, and
  /// a paused bucket resumes where it stopped.
  virtual void lease(std::span<const LeaseChange> leases) = 0;
  void lease(BucketRef bucket, const RateLease& lease) {
    const LeaseChange change{bucket, lease};
    this->lease(std::span(&change, 1));
  }
  /// Moves the ends of all leases; effective when the call returns.
  virtual void set_lease_ends(LeaseEnds ends) = 0;
  /// How often the shares have ended, summed over the polling threads. A caller that sees this grow
  /// must grant new leases.
  [[nodiscard]] virtual std::uint64_t lapses() const = 0;

  // ---- Requests

  /// Admits `record` as one unit of `wire_bytes`. The caller owns the record and keeps it at its
  /// address until its state says that it has left the bucket.
  virtual Admission admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes,
                          WaitLimits limits) = 0;
  Admission admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes) {
    return admit(bucket, record, wire_bytes, {});
  }
  /// The same for many; each is admitted or rejected by itself, in order within a bucket.
  virtual void admit_many(std::span<UnitsToAdmit> units) = 0;
  /// Takes a waiting request out of its bucket; those behind it move up. No effect if it is not
  /// waiting.
  virtual void release(BucketRef bucket, RequestRecord& record) = 0;

  /// How long a unit that came now would wait until its service starts, by the bucket's own rate,
  /// whether it would be admitted or not.
  [[nodiscard]] virtual Duration busy_for(BucketRef bucket) = 0;
  /// Makes a bucket that was just created busy for so long: as many anonymous units as that takes
  /// are admitted, as far as there is room, and the first is served for what is left. For a bucket
  /// that continues where an earlier process of the node has left off.
  virtual void occupy(BucketRef bucket, Duration busy) = 0;

  // ---- Rules

  /// Reserves slots, rings and packet buffers for a per-flow rule, and returns its number for
  /// RuleAction::flow_rule. RESOURCE_EXHAUSTED, with the amount that was needed.
  virtual absl::StatusOr<std::uint32_t> create_flow_rule(const FlowRuleSettings& settings) = 0;
  /// New settings for existing and future flows, whose backlogs stay. With fewer max_flows, flows
  /// that there are stay until they are idle. With another key, flows of the former one drain, and
  /// those of the new one that have packets in common with them wait until they are gone. Reserves
  /// the difference only; RESOURCE_EXHAUSTED, with the amount that was needed, and nothing is
  /// changed. Rules that use the new key are to be set after this.
  virtual absl::Status change_flow_rule(std::uint32_t flow_rule,
                                        const FlowRuleSettings& settings) = 0;
  /// Its buckets drain. REQUIRES: no rule of the present snapshot refers to it.
  virtual void remove_flow_rule(std::uint32_t flow_rule) = 0;
  /// Up to `limit` flows, in no particular order.
  [[nodiscard]] virtual std::vector<FlowStats> list_flows(std::uint32_t flow_rule,
                                                          std::size_t limit) const = 0;
  /// All flows, in no particular order, at less cost than list_flows().
  [[nodiscard]] virtual std::vector<FlowPlace> find_flows(std::uint32_t flow_rule) const = 0;
  /// The statistics of a flow's bucket; of the flow that has it now, if that is another.
  [[nodiscard]] virtual BucketStats read_flow(std::uint32_t flow_rule, BucketRef bucket) const = 0;
  /// FlowStats::flow of a flow with this key.
  [[nodiscard]] virtual std::string flow_text(const FlowKey& key) const = 0;
  [[nodiscard]] virtual FlowRuleStats read_flow_rule(std::uint32_t flow_rule) const = 0;
  /// Gives `rules`, prepared for worker_count() workers, to all workers and returns the previous
  /// snapshot, which no polling thread uses any more. `packet_buckets` are the buckets to which
  /// `rules` sends packets: packet buffers are reserved up to their capacities. RESOURCE_EXHAUSTED
  /// if there are not enough, with the number.
  virtual absl::StatusOr<std::shared_ptr<const RuleSnapshot>> swap_rules(
      std::shared_ptr<const RuleSnapshot> rules, std::span<const BucketRef> packet_buckets) = 0;
  /// The same for `rules` made by RuleSnapshot::with_rule() of the present snapshot. `bucket`: to
  /// which the added rule sends packets, if to one.
  virtual absl::StatusOr<std::shared_ptr<const RuleSnapshot>> append_rule(
      std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) = 0;
  /// The same for `rules` made by RuleSnapshot::without_rule() of the present snapshot. `bucket`:
  /// to which no rule sends packets any more, if there is one; its packet buffers are released.
  virtual std::shared_ptr<const RuleSnapshot> erase_rule(std::shared_ptr<const RuleSnapshot> rules,
                                                         std::optional<BucketRef> bucket) = 0;
  [[nodiscard]] virtual std::uint32_t worker_count() const = 0;
  /// The number of a port, for Match::ingress_port.
  [[nodiscard]] virtual std::optional<std::uint16_t> find_port(std::string_view name) const = 0;
  [[nodiscard]] virtual std::vector<std::string> port_names() const = 0;

  // ---- Statistics and time

  [[nodiscard]] virtual TimePoint now() const = 0;
  [[nodiscard]] virtual std::vector<PortStats> ports() const = 0;
  [[nodiscard]] virtual std::vector<LcoreStats> lcores() const = 0;
  [[nodiscard]] virtual MemoryStats memory() const = 0;
  [[nodiscard]] virtual ClockStats clock() const = 0;

  /// Stops admitting, lets the backlog leak until it is empty or `bound` has passed, drops and
  /// counts what is left, and stops the polling threads. Returns the number of dropped units. Later
  /// calls have no effect.
  virtual std::uint64_t drain_and_stop(Duration bound) = 0;
};

}  // namespace drip
