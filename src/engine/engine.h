// SPDX-License-Identifier: BSD-3-Clause
// The seam between control and the polling threads: all that control asks of them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "classifier/match.h"
#include "drip/bucket_settings.h"
#include "drip/histogram.h"
#include "drip/time.h"
#include "engine/drop_reason.h"
#include "engine/request_record.h"
#include "engine/rule_snapshot.h"
#include "packet/flow_key.h"

namespace drip {

/// One bucket's counters and schedule, read without disturbing its transmitter: each figure is
/// whole, and all fit together whenever the bucket rests.
struct BucketStats {
  std::uint64_t admitted = 0;
  std::uint64_t admitted_bytes = 0;
  std::uint64_t departed = 0;
  std::uint64_t departed_bytes = 0;
  std::uint64_t dropped = 0;  ///< Admitted, then dropped or released before their turn.
  std::uint64_t dropped_bytes = 0;
  std::array<std::uint64_t, kRejectReasons> rejected{};  ///< By RejectReason.
  std::uint64_t rejected_bytes = 0;
  std::uint64_t backlog = 0;
  std::uint64_t backlog_bytes = 0;
  std::uint64_t forfeited_ns = 0;
  TimePoint last_departure;  ///< Meaningful if departed > 0.
  TimePoint point;           ///< The law's: the head's departure, or when the server is free again.
  ServicePeriods periods;
  HistogramCounts sojourn;
  HistogramCounts lateness;
  std::uint32_t ring_slots = 0;
  bool paused = false;  ///< Its rate is leased, and nothing is at present.
};

/// What a bucket may leak; both 0: nothing, it keeps what waits.
struct LeasedRates {
  double units_per_second = 0;
  double bits_per_second = 0;

  [[nodiscard]] bool none() const { return units_per_second <= 0 && bits_per_second <= 0; }
  friend bool operator==(const LeasedRates&, const LeasedRates&) = default;
};

/// The part of a cluster bucket's rate that this node may leak. The polling threads themselves
/// enforce its end, by their clock: a process that was stopped and goes on finds its lease over
/// before it lets anything go.
struct RateLease {
  LeasedRates share;          ///< Until LeaseEnds::share.
  LeasedRates fallback;       ///< From then on.
  bool fallback_ends = true;  ///< Nothing from LeaseEnds::fallback on.

  friend bool operator==(const RateLease&, const RateLease&) = default;
};

/// Of all leases of the node, for one heartbeat renews all of them.
struct LeaseEnds {
  TimePoint share;
  TimePoint fallback;
};

/// A bucket that does not exist yet (`ref` empty) or is to be changed.
struct BucketChange {
  std::optional<BucketRef> ref;  ///< Filled in when the bucket was created.
  BucketSettings settings;
};

struct Admission {
  RejectReason reason = RejectReason::kAdmitted;
  std::uint64_t position = 0;  ///< 1 for the head; 0 when rejected.
  Duration wait;               ///< Until its service starts.
};

/// Units for one bucket, one behind the other.
struct UnitsToAdmit {
  BucketRef bucket;
  RequestRecord* record = nullptr;  ///< Null: units without a name, of which nothing is kept.
  std::uint32_t count = 1;          ///< 1 with a record.
  std::uint32_t wire_bytes = 0;     ///< Of each.
  bool all_or_none = false;
  // The answer.
  std::uint32_t admitted = 0;
  Admission admission;  ///< The first one's place; `reason` is why the others were not admitted.
};

struct Removal {
  std::uint64_t dropped = 0;
  std::uint64_t draining = 0;
};

/// A per-flow rule's memory and limits.
struct FlowRuleSettings {
  FlowTemplateKey key;
  BucketSettings bucket;
  std::uint32_t max_flows = 0;
  Duration idle_timeout;
};
struct FlowStats {
  std::string flow;  ///< As FlowKey's to_text() says it.
  std::uint32_t transmitter = 0;
  BucketStats bucket;
};
struct FlowRuleStats {
  std::uint64_t flows = 0;
  std::uint64_t created = 0;
  std::uint64_t refused = 0;
};

struct PortStats {
  std::string name, device, driver, mac_address, peer;
  std::uint32_t mtu = 0;
  bool link_up = false;
  std::uint64_t link_bps = 0;
  std::int32_t numa_node = -1;
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  std::uint64_t rx_missed = 0, rx_errors = 0, tx_errors = 0, rx_no_mbuf = 0;
  std::uint64_t tx_retries = 0, link_changes = 0;
  std::uint32_t rx_queues = 0;
};

struct LcoreStats {
  enum class Role : std::uint8_t { kFused, kWorker, kTransmitter };
  Role role = Role::kFused;
  std::int32_t cpu = -1;
  std::int32_t numa_node = -1;
  bool sleeps_when_idle = false;
  std::uint64_t loops = 0, busy_loops = 0, commands = 0;
  std::uint64_t rx_packets = 0, tx_packets = 0, passed_packets = 0;
  std::uint64_t waiting_packets = 0;  ///< In buckets, hand-off rings and transmit bursts.
  std::array<std::uint64_t, kDropReasons> drops{};
  std::array<std::uint64_t, kDropReasons> dropped_bytes{};
  std::uint64_t stalls = 0, stalled_ns = 0, longest_stall_ns = 0;
  HistogramCounts lateness;
  std::uint64_t forfeited_ns = 0;
  std::uint64_t buckets = 0;
  std::optional<std::uint32_t> transmitter;
};

struct MemoryStats {
  std::uint64_t budget_bytes = 0, promised_bytes = 0;
  std::uint64_t mbufs = 0, mbufs_promised = 0, mbufs_free = 0;
  bool hugepages = false;
};

struct ClockStats {
  double tsc_hz = 0;
  double drift_ppm = 0;
  Duration offset;
  bool invariant_tsc = true;
};

/// Thread safe as said at each call. Every call returns when the polling threads have applied it.
class Engine {
 public:
  virtual ~Engine() = default;

  // Buckets. These calls may not overlap one another (control holds its own lock).

  /// Creates and changes buckets, all or none. RESOURCE_EXHAUSTED if there is not the memory, with
  /// what it would take. A change keeps the backlog and the present service's remainder.
  virtual absl::Status apply(std::span<BucketChange> changes) = 0;
  /// REQUIRES: no rule of the present snapshot refers to it. Draining goes on by itself.
  virtual Removal remove(BucketRef bucket, bool drop_backlog) = 0;

  /// Any thread, any time.
  [[nodiscard]] virtual BucketStats read(BucketRef bucket) const = 0;
  /// read().backlog alone, for less.
  [[nodiscard]] virtual std::uint64_t backlog(BucketRef bucket) const = 0;
  [[nodiscard]] virtual TimePoint now() const = 0;

  // Leases of buckets with `rate_is_leased`. Any thread, any time.

  /// Puts a lease in force: what is left of the present service is rescaled, as with any change of
  /// rate; a paused bucket goes on where it stood. `bucket` must exist.
  virtual void lease(BucketRef bucket, const RateLease& lease) = 0;
  /// Raises or lowers the ends. They hold from when this returns.
  virtual void set_lease_ends(LeaseEnds ends) = 0;
  /// How often shares have ended, on any polling thread: who sees this grow leases anew.
  [[nodiscard]] virtual std::uint64_t lapses() const = 0;

  // Requests. Any thread, any time.

  /// Admits `record`, charged as wire_bytes. The record must stay until gone(). `bucket` must
  /// exist.
  virtual Admission admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes) = 0;
  /// The same for many, each by itself, in their order within a bucket.
  virtual void admit_many(std::span<UnitsToAdmit> units) = 0;
  /// Takes back a request that still waits: those behind it move up. Does nothing if it is gone.
  virtual void release(BucketRef bucket, RequestRecord& record) = 0;

  // Rules. These calls may not overlap one another nor those on buckets.

  /// Promises memory for a per-flow rule; the number is for RuleAction::flow_rule.
  virtual absl::StatusOr<std::uint32_t> create_flow_rule(const FlowRuleSettings& settings) = 0;
  /// New settings for buckets that exist and for those to come; key and max_flows stay.
  virtual absl::Status change_flow_rule(std::uint32_t flow_rule,
                                        const FlowRuleSettings& settings) = 0;
  /// REQUIRES: no rule of the present snapshot refers to it. Its buckets drain.
  virtual void remove_flow_rule(std::uint32_t flow_rule) = 0;
  /// The first `limit` flows whose text begins with `prefix`, in no order.
  [[nodiscard]] virtual std::vector<FlowStats> list_flows(std::uint32_t flow_rule,
                                                          std::size_t limit) const = 0;
  [[nodiscard]] virtual FlowRuleStats read_flow_rule(std::uint32_t flow_rule) const = 0;
  /// Puts `rules` before all workers and returns the snapshot that was there, which no worker sees
  /// any more. RuleSnapshot::hits has worker_count() entries. Packet buckets of the snapshot (those
  /// in `packet_buckets`) are promised mbufs up to their capacity: RESOURCE_EXHAUSTED if there are
  /// not so many, with the figure.
  virtual absl::StatusOr<std::shared_ptr<const RuleSnapshot>> swap_rules(
      std::shared_ptr<const RuleSnapshot> rules, std::span<const BucketRef> packet_buckets) = 0;
  [[nodiscard]] virtual std::uint32_t worker_count() const = 0;
  /// The number of the port of that name, for Match.
  [[nodiscard]] virtual std::optional<std::uint16_t> find_port(std::string_view name) const = 0;
  [[nodiscard]] virtual std::vector<std::string> port_names() const = 0;

  // Readings. Any thread, any time.
  [[nodiscard]] virtual std::vector<PortStats> ports() const = 0;
  [[nodiscard]] virtual std::vector<LcoreStats> lcores() const = 0;
  [[nodiscard]] virtual MemoryStats memory() const = 0;
  [[nodiscard]] virtual ClockStats clock() const = 0;

  /// Takes nothing new, lets what waits leak until it is gone or `bound` has passed, then drops the
  /// rest (counted) and stops the polling threads. Returns how many units were dropped.
  virtual std::uint64_t drain_and_stop(Duration bound) = 0;
};

}  // namespace drip
