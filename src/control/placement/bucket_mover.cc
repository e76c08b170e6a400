// SPDX-License-Identifier: BSD-3-Clause
#include "control/placement/bucket_mover.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

namespace drip::control {
namespace {

struct Moving {
  BucketEntryRef bucket;
  BucketEntry::Move move;
};

}  // namespace

std::uint32_t BucketMover::follow() {
  if (!placement_.can_follow()) return 0;
  std::uint32_t moved = 0;
  configuration_.with_rules([&](const RuleStore& rules) {
    if (stopped_.load() || rules.snapshot() == nullptr) return;
    const std::vector<TrafficFollower::Move> wanted = follower_.look(*rules.snapshot(), placement_);
    for (std::size_t begin = 0; begin < wanted.size(); begin += Engine::kMovesTogether) {
      const std::size_t count = std::min(Engine::kMovesTogether, wanted.size() - begin);
      std::vector<Moving> moving;
      std::vector<BucketMove> moves;
      for (const TrafficFollower::Move& one : std::span(wanted).subspan(begin, count)) {
        BucketEntryRef bucket = rules.bucket_of(one.rule);
        if (bucket == nullptr || bucket->ref() != one.from) continue;
        BucketEntry::Move move = bucket->try_move();
        if (!move) continue;
        moves.push_back({one.from, one.transmitter, bucket->settings(), {}, bucket->place().share});
        moving.push_back({std::move(bucket), std::move(move)});
      }
      engine_.move(moves);
      for (std::size_t i = 0; i < moves.size(); ++i) {
        if (!moves[i].moved) continue;
        moving[i].move.finish(*moves[i].moved);
        follower_.moved(*moves[i].moved);
        ++moved;
      }
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
