// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's spread roots: a bucket on each transmitter that callers see as one.
#include <algorithm>
#include <utility>

#include "datapath/poll_engine/poll_engine.h"

namespace drip::datapath {
namespace {

LeasedRates rates_of(const BucketSettings& settings) {
  return {settings.units_per_second, settings.bits_per_second};
}

// Of the parts of one root: what keeps most of them from resting.
int rank(NodeState state) {
  switch (state) {
    case NodeState::kIdle:
      return 0;
    case NodeState::kStopped:
      return 1;
    case NodeState::kHeld:
      return 2;
    case NodeState::kParked:
      return 3;
    case NodeState::kReady:
      return 4;
  }
  return 0;
}

}  // namespace

SpreadBucket* PollEngine::find_spread(BucketRef bucket) const {
  const auto found = spreads_.find({bucket.transmitter, bucket.slot});
  return found == spreads_.end() ? nullptr : found->second.get();
}

const SpreadBucket* PollEngine::find_spread_part(std::uint32_t transmitter,
                                                 std::uint32_t slot) const {
  const auto found = std::ranges::find_if(
      spreads_, [&](const auto& one) { return one.second->parts[transmitter].slot == slot; });
  return found == spreads_.end() ? nullptr : found->second.get();
}

absl::Status PollEngine::plan_spread(PlannedChange& planned) {
  const auto count = static_cast<std::uint32_t>(transmitters_.size());
  auto spread = std::make_unique<SpreadBucket>(count);
  spread->primary = planned.ref.transmitter;
  for (std::uint32_t i = 0; i < count; ++i) {
    spread->parts[i].rates = rates_of(planned.change->settings);
    if (i == spread->primary) {
      spread->parts[i].slot = planned.ref.slot;
      spread->parts[i].granter = std::make_unique<ShareGranter>(spread->root);
      continue;
    }
    const absl::StatusOr<std::uint32_t> slot = allocators_[i]->allocate();
    if (!slot.ok()) {
      undo_spread(*spread, i);
      return slot.status();
    }
    spread->parts[i].slot = *slot;
    allocators_[i]->add_inner_node();
  }
  planned.spread = spread.get();
  planned.new_spread = std::move(spread);
  return absl::OkStatus();
}

void PollEngine::undo_spread(const SpreadBucket& spread, std::uint32_t end) {
  for (std::uint32_t i = 0; i < end; ++i) {
    if (i == spread.primary) continue;
    allocators_[i]->remove_inner_node();
    allocators_[i]->release(spread.parts[i].slot);
  }
}

void PollEngine::add_parts(std::vector<PlannedChange>& planned) const {
  const std::size_t count = planned.size();
  for (std::size_t i = 0; i < count; ++i) {
    SpreadBucket* const spread = planned[i].spread;
    if (spread == nullptr) continue;
    BucketSettings settings = planned[i].change->settings;
    settings.rate_is_leased = true;
    planned[i].part_settings = settings;
    for (std::uint32_t to = 0; to < transmitters_.size(); ++to) {
      if (to == spread->primary) continue;
      PlannedChange& part = planned.emplace_back();
      part.change = planned[i].change;
      part.ref = spread->part_on(to);
      part.is_new = planned[i].is_new;
      part.spread = spread;
      part.part_settings = settings;
    }
    if (!planned[i].change->node) continue;
    const NodeSettings& share = planned[i].change->node->share;
    for (std::uint32_t to = 0; to < transmitters_.size(); ++to) {
      transmitters_[to]->buckets->prepare_node(
          spread->parts[to].slot,
          share.guaranteed_units_per_second > 0 || share.guaranteed_bits_per_second > 0);
    }
  }
}

void PollEngine::apply_part(PollThread& thread, const PlannedChange& planned, TimePoint now) {
  SpreadPart& part = planned.spread->parts[planned.ref.transmitter];
  if (planned.is_new) return thread.add_spread_part(part, now);
  thread.change_spread_part(part, rates_of(planned.change->settings), now);
}

void PollEngine::keep_spreads(std::span<PlannedChange> planned) {
  for (PlannedChange& one : planned) {
    if (one.new_spread == nullptr) continue;
    const std::pair key{one.ref.transmitter, one.ref.slot};
    spreads_.emplace(key, std::move(one.new_spread));
  }
}

Removal PollEngine::remove_spread(BucketRef bucket, bool drop_backlog) {
  std::unique_ptr<SpreadBucket> spread;
  {
    const std::unique_lock lock(allocators_mutex_);
    spread = std::move(spreads_.extract({bucket.transmitter, bucket.slot}).mapped());
  }
  Removal sum;
  for (std::uint32_t i = 0; i < transmitters_.size(); ++i) {
    PollThread& thread = *transmitters_[i];
    const Removal removal = thread.mailbox.run([&](TimePoint now) {
      thread.drain_hand_offs(now);
      return thread.remove_bucket(spread->parts[i].slot, drop_backlog, now);
    });
    sum.dropped += removal.dropped;
    sum.draining += removal.draining;
  }
  const std::unique_lock lock(allocators_mutex_);
  // Its rate is leased on while the last of it drains.
  draining_spreads_.push_back(std::move(spread));
  reap();
  return sum;
}

void PollEngine::reap_spreads() {
  std::erase_if(draining_spreads_, [&](const std::unique_ptr<SpreadBucket>& spread) {
    if (!spread->root.finished()) {
      for (std::uint32_t i = 0; i < transmitters_.size(); ++i) {
        const Bucket& part = (*transmitters_[i]->buckets)[spread->parts[i].slot];
        if (part.state.load(std::memory_order_acquire) != BucketPhase::kRetired) return false;
      }
      spread->root.finish();
    }
    // The threads see it when they look at the part; nobody waits for them here, under the lock.
    const bool all = std::ranges::all_of(spread->parts, [](const SpreadPart& part) {
      return part.released.load(std::memory_order_acquire);
    });
    if (!all) return false;
    for (std::uint32_t i = 0; i < transmitters_.size(); ++i) {
      allocators_[i]->release_when_retired(spread->parts[i].slot);
    }
    return true;
  });
}

void PollEngine::read_spread(const SpreadBucket& spread, BucketStats& stats) const {
  stats.departed = 0;
  stats.departed_bytes = 0;
  stats.lost_schedule_ns = 0;
  for (std::uint32_t i = 0; i < transmitters_.size(); ++i) {
    const BucketTable& table = *transmitters_[i]->buckets;
    const std::uint32_t slot = spread.parts[i].slot;
    const Bucket& bucket = table[slot];
    CoreShare& share = stats.core_shares.emplace_back();
    share.transmitter = i;
    const double part =
        static_cast<double>(spread.root[i].held()) / static_cast<double>(kWholeShare);
    share.rates = {stats.periods.true_units_per_second() * part,
                   stats.periods.true_bits_per_second() * part};
    share.departed = bucket.departed.get();
    share.departed_bytes = bucket.departed_bytes.get();
    share.node_state = table.array().trees.nodes[slot].state;
    stats.departed += share.departed;
    stats.departed_bytes += share.departed_bytes;
    stats.lost_schedule_ns += bucket.lost_schedule_ns.get();
    if (!stats.node_state || rank(share.node_state) > rank(*stats.node_state)) {
      stats.node_state = share.node_state;
    }
  }
}

}  // namespace drip::datapath
