// SPDX-License-Identifier: BSD-3-Clause
// The engine: polling threads, the buckets they own, and control's way to them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datapath/poll_engine/flow_rules.h"
#include "datapath/poll_engine/poll_thread.h"
#include "datapath/poll_engine/ports.h"
#include "datapath/poll_engine/read_stats.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "engine/engine.h"
#include "fmt/format.h"

namespace drip::datapath {

struct EngineOptions {
  std::vector<LcorePlan> lcores;  ///< At least one receives and one transmits.
  std::uint32_t buckets_per_transmitter = 65536;
  std::uint64_t ring_memory_bytes = std::uint64_t{1} << 30;  ///< Over all transmitters.
  /// How many times the packet buffers that there are may be promised to buckets: 1 or more.
  double packet_overcommit = 1;
};

/// Implements Engine over polling threads of any Io. Starts them; drain_and_stop() or the
/// destructor ends them. A call that changes something runs as a job on the threads concerned
/// (mailbox.h) and returns when all have done it.
template <class Io>
class PollEngine final : public Engine {
 public:
  /// `ios`: one for each lcore; they, `ports` and `clock` outlive the engine.
  PollEngine(EngineOptions options, std::span<Io> ios, Ports& ports, const TscClock& clock)
      : options_(std::move(options)), ports_(ports), clock_(clock), port_names_(ports.names()) {
    build(ios);
    start();
  }
  ~PollEngine() override { drain_and_stop(Duration{0}); }

  absl::Status apply(std::span<BucketChange> changes) override;
  Removal remove(BucketRef bucket, bool drop_backlog) override;
  [[nodiscard]] BucketStats read(BucketRef bucket) const override {
    const std::shared_lock lock(books_mutex_);
    const Thread& thread = *transmitters_[bucket.transmitter];
    return read_bucket((*thread.buckets)[bucket.slot], thread.buckets->history(bucket.slot),
                       books_[bucket.transmitter]->record(bucket.slot),
                       thread.transmitter->leases().lapses());
  }
  [[nodiscard]] std::uint64_t backlog(BucketRef bucket) const override {
    return (*transmitters_[bucket.transmitter]->buckets)[bucket.slot].backlog.get();
  }
  [[nodiscard]] TimePoint now() const override { return clock_.now(); }

  Admission admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes) override {
    auto& thread = *transmitters_[bucket.transmitter];
    thread.buckets->prepare_history(bucket.slot);
    return thread.mailbox.run([&](TimePoint now) {
      return thread.transmitter->admit_request(bucket.slot, record, wire_bytes, now);
    });
  }
  void admit_many(std::span<UnitsToAdmit> units) override;
  void release(BucketRef bucket, RequestRecord& record) override {
    auto& thread = *transmitters_[bucket.transmitter];
    thread.mailbox.run(
        [&](TimePoint now) { thread.transmitter->release_request(bucket.slot, record, now); });
  }

  void lease(BucketRef bucket, const RateLease& lease) override;
  void set_lease_ends(LeaseEnds ends) override {
    for (Thread* const thread : transmitters_) thread->transmitter->leases().set_ends(ends);
  }
  [[nodiscard]] std::uint64_t lapses() const override {
    std::uint64_t sum = 0;
    for (const Thread* const thread : transmitters_) sum += thread->transmitter->leases().lapses();
    return sum;
  }

  absl::StatusOr<std::uint32_t> create_flow_rule(const FlowRuleSettings& settings) override;
  absl::Status change_flow_rule(std::uint32_t flow_rule, const FlowRuleSettings& settings) override;
  void remove_flow_rule(std::uint32_t flow_rule) override;
  [[nodiscard]] std::vector<FlowStats> list_flows(std::uint32_t flow_rule,
                                                  std::size_t limit) const override;
  [[nodiscard]] FlowRuleStats read_flow_rule(std::uint32_t flow_rule) const override {
    const std::shared_lock lock(books_mutex_);
    return flow_rules_.read(flow_rule);
  }
  absl::StatusOr<std::shared_ptr<const RuleSnapshot>> swap_rules(
      std::shared_ptr<const RuleSnapshot> rules,
      std::span<const BucketRef> packet_buckets) override;
  [[nodiscard]] std::uint32_t worker_count() const override {
    return static_cast<std::uint32_t>(workers_.size());
  }
  [[nodiscard]] std::optional<std::uint16_t> find_port(std::string_view name) const override {
    const auto found = std::find(port_names_.begin(), port_names_.end(), name);
    if (found == port_names_.end()) return std::nullopt;
    return static_cast<std::uint16_t>(found - port_names_.begin());
  }
  [[nodiscard]] std::vector<std::string> port_names() const override { return port_names_; }

  [[nodiscard]] std::vector<PortStats> ports() const override;
  [[nodiscard]] std::vector<LcoreStats> lcores() const override;
  [[nodiscard]] MemoryStats memory() const override;
  [[nodiscard]] ClockStats clock() const override { return clock_.read(); }

  std::uint64_t drain_and_stop(Duration bound) override;

  /// What the machine withheld from the polling threads, in words. After the start.
  [[nodiscard]] std::vector<std::string> warnings() const {
    const std::lock_guard lock(warnings_mutex_);
    return warnings_;
  }

 private:
  using Thread = PollThread<Io>;
  /// A job does so many changes at the most, so that no packet waits for a long one.
  static constexpr std::size_t kChangesAJob = 16;
  // The same for admissions: so many entries, and no more entries once so many units are reached.
  static constexpr std::size_t kEntriesAJob = 32;
  static constexpr std::uint32_t kUnitsAJob = 256;

  void build(std::span<Io> ios);
  void start();
  void run_thread(Thread& thread, std::uint32_t number);

  struct PlannedChange {
    BucketChange* change;
    BucketRef ref;
    RingEntry* ring = nullptr;  // New memory, if it takes some.
    std::uint32_t ring_slots = 0;
  };
  /// Packet buffers promised to buckets and flows.
  [[nodiscard]] std::uint64_t packets_promised() const {
    return packets_promised_to_buckets_ + flow_rules_.packets_promised();
  }
  [[nodiscard]] std::uint64_t promised_after(std::span<const BucketChange> changes) const;
  absl::Status plan(BucketChange& change, PlannedChange& planned);
  void unplan(const PlannedChange& planned);
  void commit(std::span<PlannedChange> planned);
  [[nodiscard]] absl::Status check_packet_promise(std::uint64_t promised) const;
  [[nodiscard]] std::uint32_t next_transmitter();
  /// All packets that are on their way between threads now are with their transmitters afterwards.
  void take_in_hand_offs();

  EngineOptions options_;
  Ports& ports_;
  const TscClock& clock_;
  const std::vector<std::string> port_names_;
  std::array<FlowTemplateKey, kMaxFlowRules> flow_keys_{};
  const FlowHash spread_;
  std::vector<std::unique_ptr<HandOff>> hand_offs_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::vector<Thread*> workers_;
  std::vector<Thread*> transmitters_;
  std::atomic<bool> stop_{false};
  bool stopped_ = false;

  // Control's books: read() shares them, changes own them.
  mutable std::shared_mutex books_mutex_;
  std::vector<std::unique_ptr<SlotAllocator>> books_;  // By transmitter.
  FlowRules flow_rules_;
  std::shared_ptr<const RuleSnapshot> rules_;
  std::uint64_t packets_promised_to_buckets_ = 0;  // To those that rules name.
  std::uint32_t next_transmitter_ = 0;

  // Held while leases are made, moved or ended; taken before books_mutex_.
  std::mutex leases_mutex_;

  mutable std::mutex warnings_mutex_;
  std::vector<std::string> warnings_;
};

}  // namespace drip::datapath

#include "datapath/poll_engine/poll_engine_buckets.inl"
#include "datapath/poll_engine/poll_engine_rules.inl"
#include "datapath/poll_engine/poll_engine_threads.inl"
