// SPDX-License-Identifier: BSD-3-Clause
// Arguments and results of the Engine's calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "drip/bucket_settings.h"
#include "drip/time.h"
#include "drip/tree/node_settings.h"
#include "engine/request_record.h"
#include "engine/rule_snapshot.h"
#include "packet/flow_key.h"

namespace drip {

/// What a bucket is to be as a node of a tree.
struct NodeChange {
  bool inner = false;  ///< Of a new bucket: it holds no units, and its capacity is 0.
  /// The parent: a bucket that exists, or the one that an earlier change of the same call creates,
  /// by its index. Neither: a root, or a leaf in no tree.
  std::optional<BucketRef> parent;
  std::optional<std::size_t> parent_change;
  NodeSettings share;  ///< Whose `parent` is not used.
  /// Of a new root: it has a part on each transmitter. Its BucketRef is that of one of them.
  bool spread = false;
};

/// Creates a bucket (`ref` empty) or changes one.
struct BucketChange {
  std::optional<BucketRef> ref;  ///< The engine sets it when it has created the bucket.
  BucketSettings settings;
  std::optional<NodeChange> node;  ///< None: its place in a tree, or in none, stays.
  /// With `node`, of a bucket that exists: its parent will be another one.
  bool moves = false;
};

/// A bucket that is to be on another transmitter.
struct BucketMove {
  BucketRef from;
  std::uint32_t transmitter = 0;
  BucketSettings settings;         ///< Its present ones.
  std::optional<BucketRef> moved;  ///< Set by the engine: where it is now; none: it has stayed.
  NodeSettings share;              ///< In a tree: how it shares. Its `parent` is not used.
  /// Of a root: how many nodes its tree has, which it moves with: it and those that follow, each
  /// after its parent. 1: it moves alone.
  std::uint32_t nodes = 1;
  std::uint32_t parent = 0;  ///< Of a node that moves with its root: its parent's place, from 0.
};

/// What happened to the backlog of a removed bucket, in units.
struct Removal {
  std::uint64_t dropped = 0;
  std::uint64_t draining = 0;  ///< Still there, and leaking.
};

/// Whether a unit was admitted, and its position.
struct Admission {
  /// Of a bucket that is paused, or below one in its tree: nobody knows. 146 years, so that it is
  /// beyond every limit and may be added to a time.
  static constexpr Duration kUnknownWait{std::int64_t{1} << 62};

  RejectReason reason = RejectReason::kAdmitted;
  std::uint64_t position = 0;  ///< 1 for the head; 0 when rejected.
  Duration wait;               ///< Until its service starts; also of kWaitTooLong.
  /// In a leaf of a tree where more than the leaf's own schedule decides: `wait` is an estimate, by
  /// `unit_period`, how long a unit took lately, or 0 if that is not known yet. So is kUnknownWait.
  bool wait_is_estimate = false;
  Duration unit_period;
};

/// How long a unit may have to wait, by the estimate at its admission. One that would wait for
/// longer, or nobody knows how long, is rejected with kWaitTooLong.
struct WaitLimits {
  static constexpr Duration kNone{std::numeric_limits<std::int64_t>::max()};
  Duration start = kNone;      ///< Until its service starts.
  Duration departure = kNone;  ///< Until it departs.

  [[nodiscard]] bool any() const { return start != kNone || departure != kNone; }
};

/// Admits several units to one bucket, one behind the other.
struct UnitsToAdmit {
  BucketRef bucket;
  RequestRecord* record = nullptr;  ///< Null: anonymous units, of which no record is kept.
  std::uint32_t count = 1;          ///< 1 with a record.
  std::uint32_t wire_bytes = 0;     ///< Of each unit.
  bool all_or_none = false;
  bool peek = false;  ///< Only tells what would happen; counts nothing. Without a record.
  WaitLimits limits;  ///< Of each unit.
  // ---- Results
  std::uint32_t admitted = 0;
  Admission admission;  ///< Position and wait of the first unit; why the others were rejected.
};

/// A flow, and the bucket that it has until it is idle; then another flow may have it.
struct FlowPlace {
  FlowKey key;
  BucketRef bucket;
};

/// A per-flow rule: a bucket with these settings for each flow.
struct FlowRuleSettings {
  FlowTemplateKey key;
  BucketSettings bucket;
  std::uint32_t max_flows = 0;  ///< Over all transmitters.
  Duration idle_timeout;        ///< After which an idle flow's bucket is removed.
  /// The inner node below which all of its buckets are leaves; none: they are in no tree.
  std::optional<BucketRef> parent;
  NodeSettings share;  ///< With `parent`: of each bucket. Its own `parent` is not used.

  /// `share` with the parent's slot.
  [[nodiscard]] NodeSettings node() const {
    NodeSettings settings = share;
    settings.parent = parent ? parent->slot : kNoNode;
    return settings;
  }
  /// Whether its buckets may be on this transmitter: those of a tree are with their parent.
  [[nodiscard]] bool may_be_on(std::uint32_t transmitter) const {
    return !parent || parent->transmitter == transmitter;
  }
};

}  // namespace drip
