// SPDX-License-Identifier: BSD-3-Clause
// The cluster's configuration in Redis: scripts that read, change and recover it, each in one step.
//
// A change is committed on top of the head revision, or refused. Entry REVISION-0 of the log is the
// change that made that revision. Each change has a unique id (stored as `tip`), which tells two
// histories apart if Redis loses some revisions and others are made under the same numbers.
//
// A data set is recovering (since `unsettled_ms`) if it is new, or older than what a node has
// applied from it: Redis was restarted without its data or from a snapshot, or a replica that
// lagged became the master. No change is taken then until the nodes have had one lease to report
// what they have applied. The node with the highest revision writes its configuration back, under
// a revision above that of every node.
#pragma once

#include "cluster/redis/redis_script.h"

namespace drip::cluster {

/// KEYS: config, log. ARGV: the reader's revision. Returns the head, as in heartbeat_script(), and
/// the entries from that revision on: [[revision, op, data, change id], ...].
[[nodiscard]] const RedisScript& read_log_script();

/// KEYS: config, buckets, rule changes. Returns head, rules, revision of the rules, the changes of
/// single rules since then, in order: [[op, data], ...], and [id, bucket, ...].
[[nodiscard]] const RedisScript& read_all_script();

/// KEYS: config, buckets, log, rule changes. ARGV: data set, revision and change id that the change
/// is based on, its own id, op, data, what becomes of the rules ("": nothing, "one": the change
/// joins the rule changes, "all": these and all before them are replaced), then all rules, how many
/// buckets are set, [id, bucket] of each, and ids that are deleted. Returns "done", "conflict" or
/// "recovering".
[[nodiscard]] const RedisScript& commit_script();

/// KEYS: config, buckets, log, members, rule changes. ARGV: lease in ms, revision that the caller
/// has applied, a new change id, its rules, their revision, then [id, bucket] of each. Returns
/// "recovered", "wait" (too early, or another node has applied a higher revision) or "written" (the
/// caller's configuration was written back).
[[nodiscard]] const RedisScript& recover_script();

}  // namespace drip::cluster
