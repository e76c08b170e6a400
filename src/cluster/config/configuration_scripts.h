// SPDX-License-Identifier: BSD-3-Clause
// The cluster's configuration in Redis: read, changed and settled, each as one step.
//
// A change is committed on top of a certain revision, or refused. Entry REVISION-0 of the log is
// the change that made that revision; the tip is unique to the last one, so that a node finds out
// if Redis has gone back and then forward by another way.
//
// A data set is unsettled when it is new, or older than what a node has applied from it: Redis was
// restarted without its data, from a snapshot, or a replica that lagged became the master. Nobody
// may change it then, until the nodes have had one lease of time to say what they have applied.
// Then whoever has applied most writes back what it knows, under a revision above all others'.
#pragma once

#include "cluster/redis/redis_script.h"

namespace drip::cluster {

/// KEYS: config, log. ARGV: revision that the reader has. Answers head (as heartbeat_script has it)
/// and the entries from that revision on: [[revision, op, data, tip], ...].
[[nodiscard]] const RedisScript& read_log_script();

/// KEYS: config, buckets. Answers head, rules, revision of the rules, [id, bucket, ...].
[[nodiscard]] const RedisScript& read_all_script();

/// KEYS: config, buckets, log. ARGV: data set, revision and tip on top of which it is made, the new
/// tip, op, data, "1" if the rules are changed, the rules, how many buckets are set, then [id,
/// bucket] of each, then ids that are deleted. Answers "done", "conflict" or "unsettled".
[[nodiscard]] const RedisScript& commit_script();

/// KEYS: config, buckets, log, members. ARGV: lease in ms, revision that the caller has applied, a
/// new tip, its rules, their revision, then [id, bucket] of each. Answers "settled", "wait" (not
/// yet, or another one has applied more) or "written" (by what the caller knows).
[[nodiscard]] const RedisScript& settle_script();

}  // namespace drip::cluster
