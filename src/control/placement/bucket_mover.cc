// SPDX-License-Identifier: BSD-3-Clause
#include "control/placement/bucket_mover.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace drip::control {
namespace {

struct Moving {
  BucketEntryRef bucket;
  BucketEntry::Move move;
};

// Buckets that move at one time, and the calls of the engine for them.
class Batch {
 public:
  [[nodiscard]] std::size_t size() const { return moves_.size(); }

  // All of `nodes`, which move together, each after its parent; or none, if one of them is in use.
  void add(std::span<const BucketEntryRef> nodes, std::uint32_t transmitter) {
    std::vector<Moving> moving;
    std::vector<BucketMove> moves;
    std::unordered_map<std::string_view, std::uint32_t> places;
    for (const BucketEntryRef& node : nodes) {
      BucketEntry::Move move = node->try_move();
      if (!move) return;
      const BucketPlace place = node->place();
      const auto parent = places.find(place.parent_id);
      moves.push_back({node->ref(),
                       transmitter,
                       node->settings(),
                       {},
                       place.share,
                       1,
                       parent == places.end() ? 0 : parent->second});
      places.emplace(node->id_view(), static_cast<std::uint32_t>(places.size()));
      moving.push_back({node, std::move(move)});
    }
    moves.front().nodes = static_cast<std::uint32_t>(nodes.size());
    std::ranges::move(moving, std::back_inserter(moving_));
    std::ranges::move(moves, std::back_inserter(moves_));
  }
  // Returns how many have moved.
  std::uint32_t make(Engine& engine, TrafficFollower& follower) {
    engine.move(moves_);
    std::uint32_t moved = 0;
    for (std::size_t i = 0; i < moves_.size(); ++i) {
      if (!moves_[i].moved) continue;
      moving_[i].move.finish(*moves_[i].moved);
      follower.moved(*moves_[i].moved);
      ++moved;
    }
    return moved;
  }

 private:
  std::vector<Moving> moving_;
  std::vector<BucketMove> moves_;
};

}  // namespace

std::uint32_t BucketMover::follow() {
  if (!placement_.can_follow()) return 0;
  std::uint32_t moved = 0;
  configuration_.with_rules([&](const RuleStore& rules) {
    if (stopped_.load() || rules.snapshot() == nullptr) return;
    std::unordered_map<std::size_t, std::vector<BucketEntryRef>> together;
    const auto moving_with = [&](std::size_t rule) {
      std::vector<BucketRef> refs;
      const BucketEntryRef bucket = rules.bucket_of(rule);
      if (bucket == nullptr) return refs;
      const std::vector<BucketEntryRef>& nodes = together[rule] =
          rules.buckets().moving_with(bucket);
      for (const BucketEntryRef& node : nodes) refs.push_back(node->ref());
      return refs;
    };
    const std::vector<TrafficFollower::Move> wanted =
        follower_.look(*rules.snapshot(), placement_, moving_with);
    for (std::size_t next = 0; next < wanted.size();) {
      Batch batch;
      do {
        const TrafficFollower::Move& one = wanted[next];
        const std::vector<BucketEntryRef>& nodes = together.at(one.rule);
        if (batch.size() > 0 && batch.size() + nodes.size() > Engine::kMovesTogether) break;
        // A rule that was changed just now sends packets elsewhere.
        const auto is_there = [&](const BucketEntryRef& node) { return node->ref() == one.from; };
        if (std::ranges::any_of(nodes, is_there)) batch.add(nodes, one.transmitter);
        ++next;
      } while (next < wanted.size());
      moved += batch.make(engine_, follower_);
    }
  });
  return moved;
}

void BucketMover::stop() {
  stopped_.store(true);
  // Waits for a round that has begun.
  configuration_.with_rules([](const RuleStore&) {});
}

}  // namespace drip::control
