// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's queues: the pools of each polling thread, and the profiles of buckets.
#include <numa.h>

#include <algorithm>
#include <random>

#include "datapath/memory/numa_memory.h"
#include "datapath/poll_engine/poll_engine.h"

namespace drip::datapath {
namespace {

// The pools are for all packets that there are buffers for; more than so many do not wait.
constexpr std::uint64_t kMostPackets = std::uint64_t{1} << 22;
constexpr std::uint32_t kMostFlows = 1U << 20;

FairQueueSizes pool_sizes(std::uint64_t packets, std::uint32_t slots) {
  FairQueueSizes sizes;
  sizes.packets = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(packets, 1, kMostPackets));
  sizes.flows = std::min(sizes.packets, kMostFlows);
  sizes.hosts = 2 * sizes.flows;
  sizes.leaves = std::min(sizes.packets, slots);
  sizes.tins = static_cast<std::uint32_t>(kMaxTins) * sizes.leaves;
  sizes.advise = use_huge_pages;
  return sizes;
}

}  // namespace

std::uint64_t PollEngine::draw_queue_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

void PollEngine::make_queues(PollThread& thread) {
  if (thread.queues != nullptr) return;
  // What this thread touches first is on the polling thread's node.
  const bool elsewhere = thread.plan.numa_node >= 0 && numa_available() >= 0;
  if (elsewhere) numa_set_preferred(thread.plan.numa_node);
  thread.queues = std::make_unique<BucketQueues>(
      thread.buckets->queues(), pool_sizes(ports_.packets_for_buckets(), thread.buckets->slots()),
      queue_seed_);
  if (elsewhere) numa_set_localalloc();
  thread.mailbox.run([&](TimePoint) { thread.set_queues(thread.queues.get()); });
}

bool PollEngine::is_settled(const PollThread& thread, std::uint32_t slot) {
  return BucketQueues::is_settled((*thread.buckets)[slot], thread.buckets->queues()[slot]);
}

absl::Status PollEngine::check_queue_change(const QueueProfile& from, const QueueProfile& to,
                                            bool settled) {
  if (settled || !BucketQueues::must_settle(from, to)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "queue: packets still wait that came before the last change of queue, isolate, tins or aqm, "
      "and they depart first; try again when they have");
}

absl::Status PollEngine::plan_queue(PlannedChange& planned) {
  const BucketChange& change = *planned.change;
  SlotAllocator& allocator = *allocators_[planned.ref.transmitter];
  const bool had = change.ref && allocator.record(planned.ref.slot).queue != nullptr;
  if (change.settings.queue.is_plain() && !had) return absl::OkStatus();
  PollThread& thread = transmitter_of(planned.ref);
  make_queues(thread);
  thread.buckets->prepare_queue(planned.ref.slot);
  planned.queue_profile = queue_profiles_.get(change.settings);
  if (planned.queue_profile->into == QueuePlace::kDual) {
    const bool has_dual = had && allocator.record(planned.ref.slot).queue->dual != nullptr;
    if (!has_dual) {
      planned.dual_queue = std::make_unique<DualQueue>(thread.queues->dual_slots(),
                                                       planned.queue_profile->dual, clock_.now());
    }
  }
  if (!change.ref) return absl::OkStatus();
  planned.was_settled = is_settled(thread, planned.ref.slot);
  static const QueueProfile plain{};
  const QueueProfile& before =
      had ? *allocator.record(planned.ref.slot).queue->profiles.back() : plain;
  return check_queue_change(before, *planned.queue_profile, planned.was_settled);
}

bool PollEngine::flows_are_settled(const FlowRules::Entry& entry) const {
  for (std::size_t i = 0; i < entry.tables.size(); ++i) {
    const FlowTable& table = *entry.tables[i];
    for (std::uint32_t flow = 0; flow < table.number_count(); ++flow) {
      if (table.key_of(flow) && !is_settled(*transmitters_[i], table.slot(flow))) return false;
    }
  }
  return true;
}

absl::StatusOr<SharedQueueProfile> PollEngine::plan_flow_queues(const FlowRules::Entry& entry,
                                                                const BucketSettings& bucket) {
  if (bucket.queue.is_plain() && entry.queue_profiles.empty()) return nullptr;
  SharedQueueProfile profile = queue_profiles_.get(bucket);
  for (PollThread* const thread : transmitters_) make_queues(*thread);
  static const QueueProfile plain{};
  const QueueProfile& from = entry.queue_profiles.empty() ? plain : *entry.queue_profiles.back();
  absl::Status status = check_queue_change(from, *profile, flows_are_settled(entry));
  if (!status.ok()) return status;
  return profile;
}

void PollEngine::prepare_flow_queues(const FlowRules::Entry& entry) const {
  if (entry.queue_profiles.empty()) return;
  for (std::size_t i = 0; i < entry.tables.size(); ++i) {
    const FlowTable& table = *entry.tables[i];
    for (std::uint32_t flow = 0; flow < table.number_count(); ++flow) {
      if (table.slot(flow) == FlowTable::kNoSlot) continue;
      transmitters_[i]->buckets->prepare_queue(table.slot(flow));
    }
  }
}

void PollEngine::keep_queue(SlotRecord& record, PlannedChange& planned) {
  if (planned.queue_profile == nullptr) return;
  if (record.queue == nullptr) record.queue = std::make_unique<SlotQueue>();
  SlotQueue& queue = *record.queue;
  if (planned.dual_queue != nullptr) queue.dual = std::move(planned.dual_queue);
  // What settled before this change waits for the last profile alone.
  if (planned.was_settled && queue.profiles.size() > 1) {
    queue.profiles.erase(queue.profiles.begin(), queue.profiles.end() - 1);
  }
  queue.profiles.push_back(std::move(planned.queue_profile));
}

}  // namespace drip::datapath
