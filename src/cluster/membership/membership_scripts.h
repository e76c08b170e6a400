// SPDX-License-Identifier: BSD-3-Clause
// Heartbeat and election as one step in Redis.
#pragma once

#include "cluster/redis/redis_script.h"

namespace drip::cluster {

/// The longest lease that a node may take. A lease in Redis that ends later was written before
/// Redis's clock was set back.
inline constexpr int kMostLeaseMs = 60'000;

/// KEYS: leader, members, config. ARGV: node id, incarnation, lease in ms, highest epoch seen, "up"
/// or "draining", record, revision applied, its data set, ms after which a silent node is removed
/// from the list. Returns
///
///     [now_ms, epoch, leader's id, its incarnation, ms that its lease still lasts,
///      [data set, revision, change id, floor, ms for which it has been recovering or -1],
///      [[id, incarnation, ms since its last heartbeat, its lease in ms, state, record], ...]]
///
/// or FENCED, if another incarnation of this id is alive.
[[nodiscard]] const RedisScript& heartbeat_script();

/// KEYS: leader, members. ARGV: node id, incarnation.
[[nodiscard]] const RedisScript& leave_script();

}  // namespace drip::cluster
