// SPDX-License-Identifier: BSD-3-Clause
// Decides which buckets should be on another transmitter, because that is where their packets come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "engine/rule_snapshot.h"
#include "engine/stats.h"

namespace drip::control {

/// Which transmitter is on the thread of each worker, and how many there are.
struct TransmitterMap {
  static constexpr std::uint32_t kNone = ~0U;
  std::vector<std::uint32_t> transmitter_of_worker;  ///< kNone: a worker only.
  std::uint32_t transmitters = 0;

  [[nodiscard]] static TransmitterMap of(const std::vector<LcoreStats>& lcores);
  /// Whether there is anything to decide: each worker is a transmitter, and there are several.
  [[nodiscard]] bool can_follow() const;
};

/// A packet that comes in at one thread and whose bucket is on another one is handed over between
/// the two, which costs more than to shape it. Which thread receives a bucket's packets is up to
/// the NIC. The counters of rules, which each worker keeps for itself, tell it; so the packet path
/// does nothing for this. docs/decisions/0019-moves.md has the reasons for the bounds.
///
/// Not thread safe.
class TrafficFollower {
 public:
  /// A bucket moves if so many packets came since the last look, and that share of them at one
  /// other thread.
  static constexpr std::uint64_t kLeastPackets = 1024;
  static constexpr double kShare = 0.75;
  /// It stays where it is for so many looks after a move.
  static constexpr std::uint64_t kRest = 4;
  /// Moves at a look.
  static constexpr std::size_t kMostMoves = 1000;
  /// No transmitter gets more than this times its even part of all packets by moves.
  static constexpr double kMostLoad = 1.25;
  /// Rules that are looked at each time; with more of them, one after the other.
  static constexpr std::size_t kRulesALook = 65'536;

  struct Move {
    std::size_t rule = 0;  ///< The index of a rule that sends packets to it.
    BucketRef from;
    std::uint32_t transmitter = 0;
    std::uint64_t packets = 0;
  };

  /// The buckets that a rule's bucket can only move with, itself among them; empty: it cannot.
  using MovingWith = absl::FunctionRef<std::vector<BucketRef>(std::size_t rule)>;
  /// Looks at what has come since the last call; the busiest first. The first look at a snapshot
  /// only remembers its counts. Of buckets that move together, which is asked of those alone that
  /// should be elsewhere, there is one move, if their packets in sum come there.
  [[nodiscard]] std::vector<Move> look(const RuleSnapshot& rules, const TransmitterMap& placement,
                                       MovingWith moving_with);
  /// The bucket is there now.
  void moved(BucketRef now) { moved_at_[key_of(now)] = looks_; }

 private:
  struct Tally {
    std::size_t rule = 0;
    BucketRef bucket;
    std::uint64_t packets = 0;
    std::vector<std::uint64_t> by_transmitter;
  };

  static std::uint64_t key_of(BucketRef bucket) {
    return std::uint64_t{bucket.transmitter} << 32 | bucket.slot;
  }
  // By key_of() the bucket.
  using Tallies = std::unordered_map<std::uint64_t, Tally>;

  // Of the rules from next_ on.
  [[nodiscard]] Tallies count(const RuleSnapshot& rules, const TransmitterMap& placement);
  // None if it is where it should be, or rests.
  [[nodiscard]] std::optional<Move> move_of(const Tally& tally) const;
  // One move of those that are made together, or none of them.
  void join_moves(std::vector<Move>& moves, const Tallies& tallies, MovingWith moving_with) const;
  [[nodiscard]] bool rests(BucketRef bucket) const;
  // Takes those back that would make a transmitter do too much.
  static void keep_balance(std::vector<Move>& moves, std::vector<double> load);

  const void* counters_of_ = nullptr;  // Of the snapshot of the last look: changes with its arrays.
  std::vector<std::uint64_t> seen_;    // By rule index, then by worker.
  std::size_t next_ = 0;               // Rule index.
  std::uint64_t looks_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> moved_at_;
};

}  // namespace drip::control
