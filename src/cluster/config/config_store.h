// SPDX-License-Identifier: BSD-3-Clause
// The cluster's configuration in Redis, as calls.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cluster/config/stored_config.h"
#include "cluster/membership/config_head.h"
#include "cluster/redis/cluster_keys.h"
#include "cluster/redis/redis_link.h"

namespace drip::cluster {

/// Not thread safe: it owns a link. See configuration_scripts.h for what each call does there.
class ConfigStore {
 public:
  ConfigStore(RedisOptions redis, ClusterKeys keys)
      : keys_(std::move(keys)), link_(std::move(redis)) {}

  struct LogEntry {
    std::uint64_t revision = 0;
    std::string op;
    std::string data;
    std::string tip;
  };
  struct LogPage {
    ConfigHead head;
    std::vector<LogEntry> entries;  ///< From the revision asked for on, as far as there are any.
  };
  [[nodiscard]] absl::StatusOr<LogPage> read_log(std::uint64_t from_revision);

  struct Whole {
    ConfigHead head;
    StoredConfig config;
  };
  [[nodiscard]] absl::StatusOr<Whole> read_all();

  enum class Committed : std::uint8_t {
    kDone,
    kConflict,   ///< `base` is not the present revision.
    kUnsettled,  ///< Later.
  };
  /// Makes `change` on top of `base`. `after` is the configuration with it, from which buckets and
  /// rules are taken. UNAVAILABLE and DEADLINE_EXCEEDED: whether it was made is not known.
  [[nodiscard]] absl::StatusOr<Committed> commit(const StoredConfig& base,
                                                 const ConfigChange& change,
                                                 const StoredConfig& after, const std::string& tip);

  enum class Settled : std::uint8_t { kSettled, kWait, kWritten };
  [[nodiscard]] absl::StatusOr<Settled> settle(const StoredConfig& mine, std::uint64_t applied,
                                               const std::string& tip,
                                               std::chrono::milliseconds lease);

  [[nodiscard]] const std::string& peer() const { return link_.peer(); }

 private:
  const ClusterKeys keys_;
  RedisLink link_;
};

}  // namespace drip::cluster
