// SPDX-License-Identifier: BSD-3-Clause
// The keys of a cluster in Redis.
#pragma once

#include <string>
#include <string_view>

#include "base/text.h"

namespace drip::cluster {

/// All begin with `drip:{NAME}:`, so that one Redis can serve several clusters and one ACL pattern
/// fits all; the braces would keep them on one shard.
struct ClusterKeys {
  explicit ClusterKeys(std::string_view name) : prefix(joined("drip:{", name, "}:")) {}

  std::string prefix;
  std::string leader = prefix + "leader";    ///< Hash: epoch, id, incarnation, ends_ms.
  std::string members = prefix + "members";  ///< Hash by node id.
  std::string config = prefix + "config";    ///< Hash: revision, tip, rules and the like.
  std::string buckets = prefix + "buckets";  ///< Hash by bucket id.
  std::string log = prefix + "log";          ///< Stream: entry REVISION-0 is that change.
  /// Stream: the changes of single rules since `config` got the rules.
  std::string rule_changes = prefix + "rule-changes";
};

}  // namespace drip::cluster
