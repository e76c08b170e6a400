// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's rules: snapshots swapped before all workers, and the per-flow rules' flow sets.
// IWYU pragma: private, include "datapath/poll_engine/poll_engine.h"
#pragma once

namespace drip::datapath {

template <class Io>
absl::StatusOr<std::shared_ptr<const RuleSnapshot>> PollEngine<Io>::swap_rules(
    std::shared_ptr<const RuleSnapshot> rules, std::span<const BucketRef> packet_buckets) {
  {
    const std::unique_lock lock(books_mutex_);
    flow_rules_.reap(books_);
    std::uint64_t promised = 0;
    for (const BucketRef ref : packet_buckets) {
      promised += books_[ref.transmitter]->record(ref.slot).capacity;
    }
    if (auto status = check_packet_promise(promised + flow_rules_.packets_promised());
        !status.ok()) {
      return status;
    }
    packets_promised_to_buckets_ = promised;
    for (const auto& book : books_) book->forget_packets();
    for (const BucketRef ref : packet_buckets) {
      SlotAllocator& book = *books_[ref.transmitter];
      book.record(ref.slot).holds_packets = 1;
      book.prepare_history(ref.slot);
    }
  }
  for (Thread* const thread : workers_) {
    thread->mailbox.run([&](TimePoint) { thread->worker->set_rules(rules.get()); });
  }
  take_in_hand_offs();
  std::swap(rules_, rules);
  return rules;
}

// A packet may still be with its worker, if the ring was full: there is room once the transmitter
// has emptied it, and the next flush hands it over. The transmitter may hand it on to another one
// (the fallback of a per-flow rule), and so may find that ring full in turn: two times two rounds.
template <class Io>
void PollEngine<Io>::take_in_hand_offs() {
  for (int round = 0; round < 4 && !hand_offs_.empty(); ++round) {
    for (Thread* const thread : transmitters_) {
      thread->mailbox.run([&](TimePoint now) { thread->lcore->take_in_all(now); });
    }
    for (const auto& thread : threads_) {
      thread->mailbox.run([&](TimePoint) { thread->dispatcher->flush(); });
    }
  }
}

template <class Io>
absl::StatusOr<std::uint32_t> PollEngine<Io>::create_flow_rule(const FlowRuleSettings& settings) {
  std::uint32_t number = 0;
  {
    const std::unique_lock lock(books_mutex_);
    for (const auto& book : books_) book->reap();
    flow_rules_.reap(books_);
    const std::uint64_t packets = std::uint64_t{settings.max_flows} * settings.bucket.capacity;
    if (auto status = check_packet_promise(packets_promised() + packets); !status.ok()) {
      return status;
    }
    auto created = flow_rules_.create(settings, books_);
    if (!created.ok()) return created.status();
    number = *created;
  }
  flow_keys_[number] = settings.key;
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    FlowTable* const set = flow_rules_.entry(number).sets[i].get();
    transmitters_[i]->mailbox.run(
        [&](TimePoint) { transmitters_[i]->flows->install(number, set); });
  }
  return number;
}

template <class Io>
absl::Status PollEngine<Io>::change_flow_rule(std::uint32_t flow_rule,
                                              const FlowRuleSettings& settings) {
  FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  if (RingMemory::slots_for(settings.bucket.capacity) >
      RingMemory::slots_for(entry.settings.bucket.capacity)) {
    return absl::FailedPreconditionError(
        fmt::format("bucket.capacity: {} needs larger rings than the {} that each of {} "
                    "flows was promised; replace the rule instead",
                    settings.bucket.capacity, RingMemory::slots_for(entry.settings.bucket.capacity),
                    entry.settings.max_flows));
  }
  for (std::size_t i = 0; i < transmitters_.size(); ++i) {
    Thread& thread = *transmitters_[i];
    thread.mailbox.run([&](TimePoint) {
      thread.flows->change_settings(flow_rule, settings.bucket, settings.idle_timeout);
    });
    const auto flows = static_cast<std::uint32_t>(entry.sets[i]->slots.size());
    for (std::uint32_t begin = 0; begin < flows; begin += kChangesAJob) {
      thread.mailbox.run([&](TimePoint now) {
        const std::uint32_t end = std::min(flows, begin + static_cast<std::uint32_t>(kChangesAJob));
        for (std::uint32_t flow = begin; flow < end; ++flow) {
          thread.flows->change_flow(flow_rule, flow, now);
        }
      });
    }
    const std::unique_lock lock(books_mutex_);
    for (const std::uint32_t slot : entry.sets[i]->slots) {
      books_[i]->record(slot).note(settings.bucket);
    }
  }
  entry.settings = settings;
  return absl::OkStatus();
}

template <class Io>
void PollEngine<Io>::remove_flow_rule(std::uint32_t flow_rule) {
  for (Thread* const thread : transmitters_) {
    thread->mailbox.run([&](TimePoint now) {
      thread->lcore->take_in_all(now);
      thread->flows->retire(flow_rule);
    });
  }
  const std::unique_lock lock(books_mutex_);
  flow_rules_.retire(flow_rule);
  flow_rules_.reap(books_);
}

template <class Io>
std::vector<FlowStats> PollEngine<Io>::list_flows(std::uint32_t flow_rule,
                                                  std::size_t limit) const {
  std::vector<FlowStats> readings;
  const std::shared_lock lock(books_mutex_);
  const FlowRules::Entry& entry = flow_rules_.entry(flow_rule);
  for (std::uint32_t transmitter = 0; transmitter < entry.sets.size(); ++transmitter) {
    const FlowTable& set = *entry.sets[transmitter];
    for (std::uint32_t flow = 0; flow < set.slots.size() && readings.size() < limit; ++flow) {
      const auto key = set.key_of(flow);
      if (!key) continue;
      const std::uint32_t slot = set.slots[flow];
      FlowStats reading{to_text(*key), transmitter,
                        read_bucket((*transmitters_[transmitter]->buckets)[slot],
                                    transmitters_[transmitter]->buckets->history(slot),
                                    books_[transmitter]->record(slot), 0)};
      // The flow may have gone, and another come, while it was read.
      if (set.key_of(flow) == key) readings.push_back(std::move(reading));
    }
  }
  return readings;
}

}  // namespace drip::datapath
