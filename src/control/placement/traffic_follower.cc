// SPDX-License-Identifier: BSD-3-Clause
#include "control/placement/traffic_follower.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <unordered_set>
#include <utility>

namespace drip::control {

TransmitterMap TransmitterMap::of(const std::vector<LcoreStats>& lcores) {
  TransmitterMap placement;
  for (const LcoreStats& lcore : lcores) {
    if (lcore.transmitter) ++placement.transmitters;
    if (lcore.role == LcoreStats::Role::kTransmitter) continue;
    placement.transmitter_of_worker.push_back(lcore.transmitter.value_or(kNone));
  }
  return placement;
}

bool TransmitterMap::can_follow() const {
  return transmitters > 1 &&
         std::ranges::none_of(transmitter_of_worker,
                              [](std::uint32_t transmitter) { return transmitter == kNone; });
}

std::vector<TrafficFollower::Move> TrafficFollower::look(const RuleSnapshot& rules,
                                                         const TransmitterMap& placement,
                                                         MovingWith moving_with) {
  ++looks_;
  std::erase_if(moved_at_, [this](const auto& one) { return looks_ - one.second > kRest; });
  const Tallies tallies = count(rules, placement);
  std::vector<double> load(placement.transmitters);
  std::vector<Move> moves;
  for (const auto& [key, tally] : tallies) {
    load[tally.bucket.transmitter] += static_cast<double>(tally.packets);
    if (const std::optional<Move> move = move_of(tally)) moves.push_back(*move);
  }
  // Of as many packets: in the order of their rules.
  const auto busiest_first = [](const Move& a, const Move& b) {
    return a.packets != b.packets ? a.packets > b.packets : a.rule < b.rule;
  };
  std::ranges::sort(moves, busiest_first);
  if (moves.size() > kMostMoves) moves.resize(kMostMoves);
  join_moves(moves, tallies, moving_with);
  std::ranges::sort(moves, busiest_first);
  keep_balance(moves, std::move(load));
  return moves;
}

std::optional<TrafficFollower::Move> TrafficFollower::move_of(const Tally& tally) const {
  const auto most = std::ranges::max_element(tally.by_transmitter);
  const auto there = static_cast<std::uint32_t>(most - tally.by_transmitter.begin());
  if (there == tally.bucket.transmitter || tally.packets < kLeastPackets ||
      static_cast<double>(*most) < kShare * static_cast<double>(tally.packets) ||
      rests(tally.bucket)) {
    return std::nullopt;
  }
  return Move{tally.rule, tally.bucket, there, tally.packets};
}

void TrafficFollower::join_moves(std::vector<Move>& moves, const Tallies& tallies,
                                 MovingWith moving_with) const {
  std::unordered_set<std::uint64_t> joined;
  std::vector<Move> kept;
  for (const Move& move : moves) {
    if (joined.contains(key_of(move.from))) continue;
    const std::vector<BucketRef> together = moving_with(move.rule);
    if (together.size() == 1) kept.push_back(move);
    if (together.size() <= 1) continue;
    Tally sum = tallies.at(key_of(move.from));
    for (const BucketRef bucket : together) {
      joined.insert(key_of(bucket));
      const auto found = tallies.find(key_of(bucket));
      if (found == tallies.end() || bucket == move.from) continue;
      sum.packets += found->second.packets;
      for (std::size_t i = 0; i < sum.by_transmitter.size(); ++i) {
        sum.by_transmitter[i] += found->second.by_transmitter[i];
      }
    }
    if (const std::optional<Move> of_all = move_of(sum)) kept.push_back(*of_all);
  }
  moves = std::move(kept);
}

TrafficFollower::Tallies TrafficFollower::count(const RuleSnapshot& rules,
                                                const TransmitterMap& placement) {
  const std::size_t workers = rules.workers.size();
  const std::size_t indices = rules.rule_slots + kPacketKinds;
  const auto packets_of = [&](std::size_t rule, std::size_t worker) {
    return rules.workers[worker][rule].packets.get();
  };
  Tallies tallies;
  if (workers == 0 || workers != placement.transmitter_of_worker.size()) return tallies;
  if (counters_of_ != rules.workers.front().get()) {
    counters_of_ = rules.workers.front().get();
    seen_.resize(indices * workers);
    for (std::size_t rule = 0; rule < indices; ++rule) {
      for (std::size_t i = 0; i < workers; ++i) seen_[rule * workers + i] = packets_of(rule, i);
    }
    next_ = 0;
    return tallies;
  }
  const std::size_t end = std::min(next_ + kRulesALook, indices);
  for (std::size_t rule = next_; rule < end; ++rule) {
    const BucketRef bucket = rules.targets[rule].load(std::memory_order_relaxed);
    if (bucket == RuleSnapshot::kNoBucket) continue;
    Tally* tally = nullptr;
    for (std::size_t worker = 0; worker < workers; ++worker) {
      std::uint64_t& before = seen_[rule * workers + worker];
      const std::uint64_t now = packets_of(rule, worker);
      if (now == before) continue;
      if (tally == nullptr) {
        tally = &tallies[key_of(bucket)];
        if (tally->by_transmitter.empty()) {
          *tally = {rule, bucket, 0, std::vector<std::uint64_t>(placement.transmitters)};
        }
      }
      tally->packets += now - before;
      tally->by_transmitter[placement.transmitter_of_worker[worker]] += now - before;
      before = now;
    }
  }
  next_ = end == indices ? 0 : end;
  return tallies;
}

bool TrafficFollower::rests(BucketRef bucket) const { return moved_at_.contains(key_of(bucket)); }

void TrafficFollower::keep_balance(std::vector<Move>& moves, std::vector<double> load) {
  const double most =
      kMostLoad * std::reduce(load.begin(), load.end()) / static_cast<double>(load.size());
  for (const Move& move : moves) {
    load[move.from.transmitter] -= static_cast<double>(move.packets);
    load[move.transmitter] += static_cast<double>(move.packets);
  }
  // Those with the fewest packets are given up first. A move after which the one thread has hardly
  // more than the other had before is made in any case.
  for (auto move = moves.rbegin(); move != moves.rend(); ++move) {
    const auto packets = static_cast<double>(move->packets);
    double& to = load[move->transmitter];
    double& from = load[move->from.transmitter];
    if (to <= most || to <= kMostLoad * (from + packets)) continue;
    to -= packets;
    from += packets;
    move->packets = 0;
  }
  std::erase_if(moves, [](const Move& move) { return move.packets == 0; });
}

}  // namespace drip::control
