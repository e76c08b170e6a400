// SPDX-License-Identifier: BSD-3-Clause
// PollEngine's trees: where nodes are, and how they change at one moment.
#include <algorithm>
#include <array>

#include "datapath/poll_engine/poll_engine.h"
#include "fmt/format.h"

namespace drip::datapath {
namespace {

// Bound of a job that nothing requires to be made at one moment.
constexpr std::size_t kNodesAJob = 16;

bool is_new_inner(const BucketChange& change) {
  return !change.ref && change.node && change.node->inner;
}

}  // namespace

absl::Status PollEngine::check_moves(std::span<const BucketChange> changes) {
  const auto moves = std::ranges::count_if(changes, &BucketChange::moves);
  if (moves == 0) return absl::OkStatus();
  const auto count = static_cast<std::size_t>(moves + std::ranges::count_if(changes, is_new_inner));
  if (count <= kMaxMovesACall) return absl::OkStatus();
  return absl::FailedPreconditionError(fmt::format(
      "parent_id: {} buckets would get another parent or be made inner nodes in this call, and at "
      "most {} may, for it happens at one moment",
      count, kMaxMovesACall));
}

absl::StatusOr<std::optional<BucketRef>> PollEngine::find_parent(
    const BucketChange& change, std::span<const PlannedChange> before) {
  if (!change.node) return std::nullopt;
  std::optional<BucketRef> parent = change.node->parent;
  const SpreadBucket* spread = parent ? find_spread(*parent) : nullptr;
  if (change.node->parent_change) {
    parent = before[*change.node->parent_change].ref;
    spread = before[*change.node->parent_change].spread;
  }
  if (spread != nullptr) {
    return spread->part_on(change.ref ? change.ref->transmitter : next_transmitter());
  }
  if (!parent || !change.ref || parent->transmitter == change.ref->transmitter) return parent;
  return absl::FailedPreconditionError(fmt::format(
      "parent_id: a tree is on one polling thread, and the bucket is on transmitter {} and the "
      "parent on {}; delete the bucket and create it below its parent",
      change.ref->transmitter, parent->transmitter));
}

// Nodes that exist and get another parent may have units waiting, so all of them change in one job:
// they leave their parents before any of them joins another one, so that no order of moves makes a
// cycle on the way, and no unit departs in between. What is new is empty.
void PollEngine::link_nodes(std::uint32_t transmitter,
                            std::span<const PlannedChange* const> nodes) {
  PollThread& thread = *transmitters_[transmitter];
  const auto link = [&](const PlannedChange& planned, TimePoint now) {
    NodeSettings settings = planned.change->node->share;
    settings.parent = planned.parent;
    thread.set_node(planned.ref.slot, settings, now);
  };
  std::vector<const PlannedChange*> at_once;
  std::vector<const PlannedChange*> rest;
  const bool any_moves =
      std::ranges::any_of(nodes, [](const PlannedChange* node) { return node->change->moves; });
  for (const PlannedChange* const node : nodes) {
    const bool now = any_moves && (node->change->moves || node->change->node->inner);
    (now ? at_once : rest).push_back(node);
  }
  if (!at_once.empty()) {
    thread.mailbox.run([&](TimePoint now) {
      for (const PlannedChange* const node : at_once) {
        if (!node->change->moves) continue;
        NodeSettings alone = node->change->node->share;
        alone.parent = kNoNode;
        thread.set_node(node->ref.slot, alone, now);
      }
      for (const PlannedChange* const node : at_once) link(*node, now);
    });
  }
  for (std::size_t begin = 0; begin < rest.size(); begin += kNodesAJob) {
    const std::span job = std::span(rest).subspan(begin, std::min(kNodesAJob, rest.size() - begin));
    thread.mailbox.run([&](TimePoint now) {
      for (const PlannedChange* const node : job) link(*node, now);
    });
  }
}

}  // namespace drip::datapath
