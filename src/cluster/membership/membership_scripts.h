// SPDX-License-Identifier: BSD-3-Clause
// Heartbeat and election as one step in Redis.
#pragma once

#include "cluster/redis/redis_script.h"

namespace drip::cluster {

/// The longest lease that can be asked for: what ends later was written before Redis's clock went
/// back.
inline constexpr int kMostLeaseMs = 60'000;

/// KEYS: leader, members, config. ARGV: node id, incarnation, lease in ms, highest epoch seen, "up"
/// or "draining", record, revision applied, data set that it is of, ms after which a node that is
/// gone is forgotten. Answers
///
///     [now_ms, epoch, leader's id, its incarnation, ms that its lease still lasts,
///      [data set, revision, tip, floor, ms for which it has been unsettled or -1],
///      [[id, incarnation, ms since it was seen, its lease in ms, state, record], ...]]
///
/// or FENCED, if another incarnation of this id is alive.
[[nodiscard]] const RedisScript& heartbeat_script();

/// KEYS: leader, members. ARGV: node id, incarnation.
[[nodiscard]] const RedisScript& leave_script();

}  // namespace drip::cluster
