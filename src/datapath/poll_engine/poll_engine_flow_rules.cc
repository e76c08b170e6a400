// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's per-flow rules: made, changed while their flows go on, removed, listed.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "datapath/poll_engine/bucket_stats.h"
#include "datapath/poll_engine/poll_engine.h"
#include "fmt/format.h"

namespace drip::datapath {
namespace {

// A job changes at most so many flows, so that it holds the packet path up only briefly.
constexpr std::uint32_t kFlowsAJob = 16;
// Moving one to another hash table is less work.
constexpr std::uint32_t kMovesAJob = 64;

}  // namespace

absl::StatusOr<std::uint32_t> PollEngine::create_flow_rule(const FlowRuleSettings& settings) {
  std::uint32_t number = 0;
  {
    const std::unique_lock lock(allocators_mutex_);
    reap();
    const std::uint64_t packets = std::uint64_t{settings.max_flows} * settings.bucket.capacity;
    if (auto status = check_packets(packets_reserved() + packets); !status.ok()) {
      return status;
    }
    const auto here = [&](std::uint32_t i) { return flow_settings_on(i, settings); };
    auto created = flow_rules_.create(settings, here, allocators_);
    if (!created.ok()) return created.status();
    number = *created;
    FlowRules::Entry& entry = flow_rules_.entry(number);
    // Of a new rule it cannot fail.
    if (auto queue = plan_flow_queues(entry, settings.bucket); queue.ok() && *queue != nullptr) {
      entry.queue_profiles.push_back(*queue);
      for (const auto& table : entry.tables) table->queue = queue->get();
      prepare_flow_queues(entry);
    }
  }
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    FlowTable* const table = flow_rules_.entry(number).tables[i].get();
    transmitters_[i]->mailbox.run(
        [&](TimePoint) { transmitters_[i]->add_flow_table(number, table); });
  }
  return number;
}

absl::StatusOr<FlowRules::Growth> PollEngine::reserve(FlowRules::Entry& entry,
                                                      const FlowRuleSettings& wanted) {
  const std::unique_lock lock(allocators_mutex_);
  reap();
  const std::uint64_t others = packets_reserved() - entry.packets();
  // First, so that what fewer flows give back counts for larger capacities.
  FlowRules::trim(entry, wanted.max_flows, allocators_);
  const std::uint64_t flows = std::max(entry.rings->size(), wanted.max_flows);
  absl::Status status = check_packets(others + flows * wanted.bucket.capacity);
  if (status.ok()) {
    const auto here = [&](std::uint32_t i) { return flow_settings_on(i, wanted); };
    auto growth = flow_rules_.grow(entry, wanted, here, allocators_);
    if (growth.ok()) return growth;
    status = growth.status();
  }
  // Cannot fail: it has just been released.
  (void)FlowRules::add_rings(*entry.rings, entry.settings.max_flows, allocators_);
  return status;
}

absl::Status PollEngine::change_flow_rule(std::uint32_t flow_rule,
                                          const FlowRuleSettings& settings) {
  FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  const std::uint32_t flows_before = entry.settings.max_flows;
  const FlowTemplateKey key_before = entry.settings.key;
  SharedQueueProfile queue;
  if (absl::Status status = check_flow_parent(entry.settings, settings); !status.ok()) {
    return status;
  }
  if (settings.key != key_before) {
    const auto number = number_of_key_change(entry, undoes_key_change(entry, settings.key));
    if (!number.ok()) return number.status();
  }
  {
    const std::unique_lock lock(allocators_mutex_);
    auto planned = plan_flow_queues(entry, settings.bucket);
    if (!planned.ok()) return planned.status();
    queue = *std::move(planned);
  }
  if (settings.max_flows < flows_before) entry.limit->set(settings.max_flows);
  auto growth = reserve(entry, settings);
  if (!growth.ok()) {
    entry.limit->set(flows_before);
    return growth.status();
  }
  change_flows(flow_rule, settings, *growth, std::move(queue));
  entry.limit->set(settings.max_flows);
  if (settings.key != key_before) change_flow_key(flow_rule, settings.key);
  if (settings.max_flows < flows_before) release_slots(entry, settings.max_flows);
  return absl::OkStatus();
}

std::optional<std::uint32_t> PollEngine::flow_transmitter(const FlowRuleSettings& settings) const {
  if (!settings.parent || find_spread(*settings.parent) != nullptr) return std::nullopt;
  return settings.parent->transmitter;
}

FlowRuleSettings PollEngine::flow_settings_on(std::uint32_t transmitter,
                                              const FlowRuleSettings& settings) const {
  FlowRuleSettings result = settings;
  const SpreadBucket* const spread = settings.parent ? find_spread(*settings.parent) : nullptr;
  if (spread != nullptr) result.parent = spread->part_on(transmitter);
  return result;
}

absl::Status PollEngine::check_flow_parent(const FlowRuleSettings& before,
                                           const FlowRuleSettings& wanted) const {
  if (transmitters_.size() == 1) return absl::OkStatus();
  const std::shared_lock lock(allocators_mutex_);
  if (flow_transmitter(before) == flow_transmitter(wanted)) return absl::OkStatus();
  const auto place = [this](const FlowRuleSettings& settings) {
    const auto transmitter = flow_transmitter(settings);
    return transmitter ? fmt::format("on transmitter {}", *transmitter)
                       : std::string("spread over all transmitters");
  };
  return absl::FailedPreconditionError(
      fmt::format("parent_id: the buckets of flows stay on their polling thread; they are {} and "
                  "would be {}; delete the rule and add it again",
                  place(before), place(wanted)));
}

template <class Change>
void PollEngine::for_all_flows(std::uint32_t flow_rule, Change change) {
  const FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    PollThread& thread = *transmitters_[i];
    const std::uint32_t flows = entry.tables[i]->number_count();
    for (std::uint32_t begin = 0; begin < flows; begin += kFlowsAJob) {
      thread.mailbox.run([&](TimePoint now) {
        const std::uint32_t end = std::min(flows, begin + kFlowsAJob);
        for (std::uint32_t flow = begin; flow < end; ++flow) change(thread, flow, now);
      });
    }
  }
}

void PollEngine::change_flows(std::uint32_t flow_rule, const FlowRuleSettings& wanted,
                              FlowRules::Growth& growth, SharedQueueProfile queue) {
  FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  if (queue != nullptr) entry.queue_profiles.push_back(std::move(queue));
  const QueueProfile* const profile =
      entry.queue_profiles.empty() ? nullptr : entry.queue_profiles.back().get();
  const bool all_change =
      growth.larger_rings != nullptr || !(wanted.bucket == entry.settings.bucket) ||
      wanted.parent != entry.settings.parent || !(wanted.node() == entry.settings.node());
  for (std::uint32_t i = 0; i < transmitters_.size(); ++i) {
    PollThread& thread = *transmitters_[i];
    FlowTable& table = *entry.tables[i];
    const bool moves = growth.hash_tables[i] != nullptr;
    FlowRuleSettings wanted_here;
    {
      const std::shared_lock lock(allocators_mutex_);
      wanted_here = flow_settings_on(i, wanted);
    }
    thread.mailbox.run([&](TimePoint) {
      thread.change_flow_settings(flow_rule, wanted_here);
      if (growth.larger_rings != nullptr) table.replace_rings(growth.larger_rings.get());
      table.queue = profile;
      table.add_slots(growth.numbers[i]);
      if (moves) table.start_move(std::move(growth.hash_tables[i]));
    });
    std::unique_ptr<FlowHashTable> former;
    bool moving = moves;
    while (moving) {
      thread.mailbox.run([&](TimePoint) { moving = table.move_some(kMovesAJob, former); });
    }
  }
  if (all_change) {
    for_all_flows(flow_rule, [&](PollThread& thread, std::uint32_t flow, TimePoint now) {
      thread.change_flow(flow_rule, flow, now);
    });
  }
  const std::unique_lock lock(allocators_mutex_);
  prepare_flow_queues(entry);
  // All flows have the present profile now; an earlier one is of use only to what waits by it.
  if (entry.queue_profiles.size() > 1 && flows_are_settled(entry)) {
    entry.queue_profiles.erase(entry.queue_profiles.begin(), entry.queue_profiles.end() - 1);
  }
  if (growth.larger_rings != nullptr) {
    FlowRules::free_rings(*entry.rings, allocators_);
    entry.rings = std::move(growth.larger_rings);
  }
  if (all_change) {
    for (std::size_t i = 0; i < transmitters_.size(); ++i) {
      const FlowTable& table = *entry.tables[i];
      for (std::uint32_t flow = 0; flow < table.number_count(); ++flow) {
        if (table.slot(flow) == FlowTable::kNoSlot) continue;
        SlotRecord& record = allocators_[i]->record(table.slot(flow));
        record.set(wanted.bucket);
        record.ring_slots = entry.rings->ring_slots() & kMaxRingSlots;
      }
    }
  }
  const FlowTemplateKey key = entry.settings.key;
  entry.settings = wanted;
  entry.settings.key = key;
}

bool PollEngine::undoes_key_change(const FlowRules::Entry& entry,
                                   const FlowTemplateKey& key) const {
  return !entry.live_key_changes.empty() && entry.key_changed_at == publications_ &&
         entry.key_changes[entry.live_key_changes.back()]->former() == key;
}

absl::StatusOr<std::uint32_t> PollEngine::number_of_key_change(const FlowRules::Entry& entry,
                                                               bool is_undo) {
  const std::vector<std::uint32_t>& live = entry.live_key_changes;
  std::vector<std::uint32_t> unused;
  for (std::uint32_t number = 0; number < FlowTable::kKeyChanges; ++number) {
    const bool is_live = std::ranges::find(live, number) != live.end();
    const bool is_last = is_live && number == live.back();
    if (!is_live || (!is_last && entry.key_changes[number]->done())) unused.push_back(number);
  }
  // One is left to undo the change, which cannot fail.
  if (unused.size() > 1 || (is_undo && !unused.empty())) return unused.front();
  return absl::FailedPreconditionError(fmt::format(
      "key: it has changed {} times while packets of flows of former keys wait; change it again "
      "when they have left",
      FlowTable::kKeyChanges - 1));
}

void PollEngine::change_flow_key(std::uint32_t flow_rule, const FlowTemplateKey& key) {
  FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  const bool is_undo = undoes_key_change(entry, key);
  const std::uint32_t number = *number_of_key_change(entry, is_undo);
  CommonFlowKey common = common_of({entry.settings.key}, key);
  if (!entry.live_key_changes.empty()) {
    // Flows of still earlier keys may be there as well.
    const KeyChange& last = *entry.key_changes[entry.live_key_changes.back()];
    if (!last.done()) common = common_of(last.common(), key);
  }
  std::vector<std::uint32_t> live;
  for (const std::uint32_t each : entry.live_key_changes) {
    const bool is_undone = is_undo && each == entry.live_key_changes.back();
    if (!is_undone && !entry.key_changes[each]->done()) live.push_back(each);
  }
  live.push_back(number);
  std::uint16_t bits = 0;
  for (const std::uint32_t each : live) bits |= static_cast<std::uint16_t>(1U << each);
  if (!is_undo) {
    if (++entry.apart_number == 0) entry.apart_number = 1;
    for_all_flows(flow_rule, [&](PollThread& thread, std::uint32_t flow, TimePoint) {
      thread.set_flow_apart(flow_rule, flow, key, entry.apart_number);
    });
  }
  auto change = std::make_unique<KeyChange>(common, entry.settings.key);
  for (PollThread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint now) {
      thread->change_flow_key(flow_rule, key, number, change.get(), bits, now);
    });
  }
  for_all_flows(flow_rule, [&](PollThread& thread, std::uint32_t flow, TimePoint) {
    thread.count_old_flow(flow_rule, flow);
  });
  entry.settings.key = key;
  entry.key_changed_at = publications_;
  entry.key_changes[number] = std::move(change);
  entry.live_key_changes = std::move(live);
}

void PollEngine::release_slots(FlowRules::Entry& entry, std::uint32_t max_flows) {
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    FlowTable& table = *entry.tables[i];
    std::vector<std::uint32_t> slots;
    bool more = true;
    while (more) {
      slots.clear();
      slots.reserve(kMovesAJob);
      transmitters_[i]->mailbox.run([&](TimePoint) {
        while (slots.size() < kMovesAJob && table.slot_count() > max_flows) {
          const auto slot = table.remove_slot();
          if (!slot) break;
          slots.push_back(*slot);
        }
      });
      more = slots.size() == kMovesAJob;
      const std::unique_lock lock(allocators_mutex_);
      for (const std::uint32_t slot : slots) allocators_[i]->release(slot);
    }
  }
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
    for (std::uint32_t flow = 0; flow < table.number_count() && flows.size() < limit; ++flow) {
      const auto key = table.key_of(flow);
      if (!key) continue;
      FlowStats stats{flow_text(*key), transmitter,
                      read_flow(entry, {transmitter, table.slot(flow)})};
      // The slot may have gone to another flow while it was read.
      if (table.key_of(flow) == key) flows.push_back(std::move(stats));
    }
  }
  return flows;
}

std::vector<FlowPlace> PollEngine::find_flows(std::uint32_t flow_rule) const {
  std::vector<FlowPlace> flows;
  const std::shared_lock lock(allocators_mutex_);
  const FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  for (std::uint32_t transmitter = 0; transmitter < entry.tables.size(); ++transmitter) {
    const FlowTable& table = *entry.tables[transmitter];
    for (std::uint32_t flow = 0; flow < table.number_count(); ++flow) {
      if (const auto key = table.key_of(flow)) {
        flows.push_back({*key, {transmitter, table.slot(flow)}});
      }
    }
  }
  return flows;
}

bool PollEngine::begin_flow_capture(std::uint32_t flow_rule, const FlowPlace& flow,
                                    CaptureRing& capture) {
  const std::shared_lock lock(allocators_mutex_);
  const FlowTable& table = *flow_rules_.entry(flow_rule).tables[flow.bucket.transmitter];
  PollThread& thread = transmitter_of(flow.bucket);
  bool begun = false;
  thread.mailbox.run([&](TimePoint) {
    const auto number = table.find(flow.key, table.hash(flow.key));
    begun = number && table.slot(*number) == flow.bucket.slot;
    if (begun) thread.begin_capture(flow.bucket.slot, capture);
  });
  return begun;
}

BucketStats PollEngine::read_flow(std::uint32_t flow_rule, BucketRef bucket) const {
  const std::shared_lock lock(allocators_mutex_);
  return read_flow(flow_rules_.entry(flow_rule), bucket);
}

BucketStats PollEngine::read_flow(const FlowRules::Entry& entry, BucketRef bucket) const {
  const PollThread& thread = *transmitters_[bucket.transmitter];
  BucketStats stats =
      read_bucket((*thread.buckets)[bucket.slot], thread.buckets->histograms(bucket.slot),
                  allocators_[bucket.transmitter]->record(bucket.slot), 0);
  if (!entry.queue_profiles.empty()) stats.queue = thread.buckets->queues()[bucket.slot].read();
  if (entry.settings.parent) {
    stats.node_state = thread.buckets->array().trees.nodes[bucket.slot].state;
  }
  return stats;
}

std::string PollEngine::flow_text(const FlowKey& key) const {
  std::string text = to_text(key, port_names_);
  // A flow of the present key may have the same text.
  if (const std::uint32_t apart = FlowTable::apart_number(key); apart != 0) {
    text += fmt::format(",former={}", apart);
  }
  return text;
}

}  // namespace drip::datapath
