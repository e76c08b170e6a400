// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's rules: swapping snapshots, and the flow tables of per-flow rules.
#include <algorithm>
#include <utility>

#include "datapath/poll_engine/bucket_stats.h"
#include "datapath/poll_engine/poll_engine.h"
#include "fmt/format.h"

namespace drip::datapath {
namespace {

// A job changes at most so many flows, so that it holds the packet path up only briefly.
constexpr std::uint32_t kFlowsAJob = 16;

}  // namespace

std::optional<std::uint16_t> PollEngine::find_port(std::string_view name) const {
  const auto found = std::find(port_names_.begin(), port_names_.end(), name);
  if (found == port_names_.end()) return std::nullopt;
  return static_cast<std::uint16_t>(found - port_names_.begin());
}

absl::StatusOr<std::shared_ptr<const RuleSnapshot>> PollEngine::swap_rules(
    std::shared_ptr<const RuleSnapshot> rules, std::span<const BucketRef> packet_buckets) {
  {
    const std::unique_lock lock(allocators_mutex_);
    reap();
    std::uint64_t reserved = 0;
    for (const BucketRef ref : packet_buckets) {
      reserved += allocators_[ref.transmitter]->record(ref.slot).capacity;
    }
    if (auto status = check_packets(reserved + flow_rules_.packets_reserved()); !status.ok()) {
      return status;
    }
    packets_reserved_for_buckets_ = reserved;
    for (const auto& allocator : allocators_) allocator->clear_holds_packets();
    for (const BucketRef ref : packet_buckets) {
      SlotAllocator& allocator = *allocators_[ref.transmitter];
      allocator.record(ref.slot).holds_packets = 1;
      allocator.prepare_histograms(ref.slot);
    }
  }
  for (PollThread* const thread : workers_) {
    thread->mailbox.run([&](TimePoint) { thread->set_rules(rules.get()); });
  }
  drain_hand_offs();
  std::swap(rules_, rules);
  return rules;
}

// Four rounds: if a ring is full a packet stays with its sender until the receiver has drained the
// ring and the sender flushes again, which takes two; and the receiver may hand the packet on to
// another transmitter (the fallback of a per-flow rule), which takes another two.
void PollEngine::drain_hand_offs() {
  for (int round = 0; round < 4 && !hand_offs_.empty(); ++round) {
    for (PollThread* const thread : transmitters_) {
      thread->mailbox.run([&](TimePoint now) { thread->drain_hand_offs(now); });
    }
    for (const auto& thread : threads_) {
      thread->mailbox.run([&](TimePoint) { thread->flush_hand_offs(); });
    }
  }
}

absl::StatusOr<std::uint32_t> PollEngine::create_flow_rule(const FlowRuleSettings& settings) {
  std::uint32_t number = 0;
  {
    const std::unique_lock lock(allocators_mutex_);
    reap();
    const std::uint64_t packets = std::uint64_t{settings.max_flows} * settings.bucket.capacity;
    if (auto status = check_packets(packets_reserved() + packets); !status.ok()) {
      return status;
    }
    auto created = flow_rules_.create(settings, allocators_);
    if (!created.ok()) return created.status();
    number = *created;
  }
  flow_keys_[number] = settings.key;
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    FlowTable* const table = flow_rules_.entry(number).tables[i].get();
    transmitters_[i]->mailbox.run(
        [&](TimePoint) { transmitters_[i]->add_flow_table(number, table); });
  }
  return number;
}

absl::Status PollEngine::change_flow_rule(std::uint32_t flow_rule,
                                          const FlowRuleSettings& settings) {
  FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  if (BucketRing::slots_for(settings.bucket.capacity) >
      BucketRing::slots_for(entry.settings.bucket.capacity)) {
    return absl::FailedPreconditionError(
        fmt::format("bucket.capacity: {} needs larger rings than the {} that each of {} "
                    "flows has; replace the rule instead",
                    settings.bucket.capacity, BucketRing::slots_for(entry.settings.bucket.capacity),
                    entry.settings.max_flows));
  }
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    PollThread& thread = *transmitters_[i];
    thread.mailbox.run([&](TimePoint) {
      thread.change_flow_settings(flow_rule, settings.bucket, settings.idle_timeout);
    });
    const auto flows = static_cast<std::uint32_t>(entry.tables[i]->slots.size());
    for (std::uint32_t begin = 0; begin < flows; begin += kFlowsAJob) {
      thread.mailbox.run([&](TimePoint now) {
        const std::uint32_t end = std::min(flows, begin + kFlowsAJob);
        for (std::uint32_t flow = begin; flow < end; ++flow) {
          thread.change_flow(flow_rule, flow, now);
        }
      });
    }
    const std::unique_lock lock(allocators_mutex_);
    for (const std::uint32_t slot : entry.tables[i]->slots) {
      allocators_[i]->record(slot).set(settings.bucket);
    }
  }
  entry.settings = settings;
  return absl::OkStatus();
}

void PollEngine::remove_flow_rule(std::uint32_t flow_rule) {
  for (PollThread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint now) {
      thread->drain_hand_offs(now);
      thread->retire_flow_table(flow_rule);
    });
  }
  const std::unique_lock lock(allocators_mutex_);
  flow_rules_.free_when_retired(flow_rule);
  reap();
}

FlowRuleStats PollEngine::read_flow_rule(std::uint32_t flow_rule) const {
  const std::shared_lock lock(allocators_mutex_);
  return flow_rules_.read(flow_rule);
}

std::vector<FlowStats> PollEngine::list_flows(std::uint32_t flow_rule, std::size_t limit) const {
  std::vector<FlowStats> flows;
  const std::shared_lock lock(allocators_mutex_);
  const FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  for (std::uint32_t transmitter = 0; transmitter < entry.tables.size(); ++transmitter) {
    const FlowTable& table = *entry.tables[transmitter];
    for (std::uint32_t flow = 0; flow < table.slots.size() && flows.size() < limit; ++flow) {
      const auto key = table.key_of(flow);
      if (!key) continue;
      const std::uint32_t slot = table.slots[flow];
      FlowStats stats{to_text(*key), transmitter,
                      read_bucket((*transmitters_[transmitter]->buckets)[slot],
                                  transmitters_[transmitter]->buckets->histograms(slot),
                                  allocators_[transmitter]->record(slot), 0)};
      // The slot may have gone to another flow while it was read.
      if (table.key_of(flow) == key) flows.push_back(std::move(stats));
    }
  }
  return flows;
}

}  // namespace drip::datapath
