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

/// Not thread safe: it owns a link. configuration_scripts.h describes what each call does in Redis.
class ConfigStore {
 public:
  ConfigStore(RedisOptions redis, ClusterKeys keys)
      : keys_(std::move(keys)), link_(std::move(redis)) {}

  struct LogEntry {
    std::uint64_t revision = 0;
    std::string op;
    std::string data;
    std::string change_id;
  };
  struct LogPage {
    ConfigHead head;
    std::vector<LogEntry> entries;  ///< From the requested revision on.
  };
  [[nodiscard]] absl::StatusOr<LogPage> read_log(std::uint64_t from_revision);
  /// Of the reply to read_log.lua; INTERNAL if it is not of the form that the script gives.
  [[nodiscard]] static absl::StatusOr<LogPage> page_of(const RedisReply& reply);

  struct Whole {
    ConfigHead head;
    StoredConfig config;
  };
  [[nodiscard]] absl::StatusOr<Whole> read_all();
  /// The same of read_all.lua.
  [[nodiscard]] static absl::StatusOr<Whole> whole_of(const RedisReply& reply);

  enum class Committed : std::uint8_t {
    kDone,
    kConflict,    ///< `base` is not the present revision.
    kRecovering,  ///< No change is taken until recovery has ended.
  };
  /// Commits `change` on top of `base` under `change_id`. After UNAVAILABLE and DEADLINE_EXCEEDED
  /// it may or may not have been committed.
  [[nodiscard]] absl::StatusOr<Committed> commit(const StoredConfig& base,
                                                 const ConfigChange& change,
                                                 const std::string& change_id);

  /// The result of recover_script().
  enum class Recovery : std::uint8_t { kRecovered, kWait, kWritten };
  [[nodiscard]] absl::StatusOr<Recovery> recover(const StoredConfig& mine, std::uint64_t applied,
                                                 const std::string& change_id,
                                                 std::chrono::milliseconds lease);

  [[nodiscard]] const std::string& peer() const { return link_.peer(); }

 private:
  const ClusterKeys keys_;
  RedisLink link_;
};

}  // namespace drip::cluster
