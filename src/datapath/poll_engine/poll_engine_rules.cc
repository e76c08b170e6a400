// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's rules: swapping snapshots. Per-flow rules are in poll_engine_flow_rules.cc.
#include <algorithm>
#include <utility>

#include "datapath/poll_engine/poll_engine.h"

namespace drip::datapath {

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
  return publish(std::move(rules));
}

absl::StatusOr<std::shared_ptr<const RuleSnapshot>> PollEngine::append_rule(
    std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) {
  if (bucket) {
    const std::unique_lock lock(allocators_mutex_);
    reap();
    SlotAllocator& allocator = *allocators_[bucket->transmitter];
    SlotRecord& record = allocator.record(bucket->slot);
    if (record.holds_packets == 0) {
      if (auto status = check_packets(packets_reserved() + record.capacity); !status.ok()) {
        return status;
      }
      packets_reserved_for_buckets_ += record.capacity;
      record.holds_packets = 1;
      allocator.prepare_histograms(bucket->slot);
    }
  }
  return publish(std::move(rules));
}

std::shared_ptr<const RuleSnapshot> PollEngine::erase_rule(
    std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) {
  auto before = publish(std::move(rules));
  if (bucket) {
    const std::unique_lock lock(allocators_mutex_);
    SlotRecord& record = allocators_[bucket->transmitter]->record(bucket->slot);
    if (record.holds_packets != 0) packets_reserved_for_buckets_ -= record.capacity;
    record.holds_packets = 0;
  }
  return before;
}

std::shared_ptr<const RuleSnapshot> PollEngine::publish(std::shared_ptr<const RuleSnapshot> rules) {
  for (PollThread* const thread : workers_) {
    thread->mailbox.run([&](TimePoint) { thread->set_rules(rules.get()); });
  }
  drain_hand_offs();
  ++publications_;
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

}  // namespace drip::datapath
