// SPDX-License-Identifier: BSD-3-Clause
// What a heartbeat's reply says of the cluster.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/membership/config_head.h"
#include "cluster/redis/byte_stream.h"
#include "cluster/redis/redis_reply.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cluster {

struct HeartbeatView {
  struct Member {
    std::string id;
    std::chrono::milliseconds silent{0};  ///< Since its last heartbeat, when the view was made.
    std::chrono::milliseconds lease{0};
    bool draining = false;
    v1::ClusterNode record;
  };

  bool any = false;  ///< There was a heartbeat.
  std::chrono::nanoseconds round_trip{0};
  Deadline sent{};  ///< When the heartbeat was sent: the view's age counts from here.
  std::int64_t now_ms = 0;
  std::uint64_t epoch = 0;
  std::string leader_id;
  std::string leader_incarnation;
  std::chrono::milliseconds lease_left{0};
  ConfigHead config;
  std::vector<Member> members;  ///< In order of id.
};

/// The reply to heartbeat.lua, which was sent at `sent`. INTERNAL if it is not of the form that the
/// script gives.
[[nodiscard]] absl::StatusOr<HeartbeatView> read_heartbeat(const RedisReply& reply, Deadline sent);

}  // namespace drip::cluster
