// SPDX-License-Identifier: BSD-3-Clause
// Who asks whom.
#include "cluster/redis_cluster.h"

#include "control/node_totals.h"

namespace drip::cluster {

RedisCluster::RedisCluster(MembershipOptions options, Log log, const control::ClusterParts& parts)
    : configuration_(options, incarnation_, log, parts.configuration),
      membership_(
          options, incarnation_, log, [this] { return configuration_.applied(); },
          [&buckets = parts.buckets] { return control::totals_of(buckets); },
          [this](const ConfigHead& head) { configuration_.head_seen(head); }) {}

void RedisCluster::stop() {
  // Changes end before this node has left: it may still be told of them until then.
  configuration_.stop();
  membership_.stop();
}

}  // namespace drip::cluster
