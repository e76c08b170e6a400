// SPDX-License-Identifier: BSD-3-Clause
// The lease protocol's calls as script calls, and their replies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_script.h"
#include "cluster/shares/share_allocator.h"
#include "cluster/shares/share_holder.h"

namespace drip::cluster {

/// Makes the calls of one cluster. Immutable. `run_id`: of the Redis process that is asked.
class ShareScripts {
 public:
  /// `prefix`: of all keys of the cluster; `leader_key`: whose epoch fences the leader's calls.
  ShareScripts(std::string_view prefix, std::string leader_key);

  [[nodiscard]] ScriptCall exchange(std::string_view run_id, std::string_view session,
                                    std::string_view node_id, const ShareHolder::Exchange& exchange,
                                    const Demands& demands) const;
  [[nodiscard]] ScriptCall leave(std::string_view run_id, std::string_view session) const;
  /// For the leader. `new_generation`, not 0, is used if Redis's data are new.
  [[nodiscard]] ScriptCall snapshot(std::string_view run_id, std::uint64_t epoch,
                                    std::uint64_t new_generation) const;
  /// For other nodes, read only.
  [[nodiscard]] ScriptCall look(std::string_view run_id) const;
  [[nodiscard]] ScriptCall apply_plan(std::string_view run_id, std::uint64_t epoch,
                                      const ShareSnapshot& snapshot, const SharePlan& plan) const;

 private:
  [[nodiscard]] ScriptCall call(std::uint64_t epoch, std::string_view operation,
                                std::string_view run_id, std::vector<std::string> more) const;

  const std::string leader_key_;
  const std::string data_key_;
  const std::string sessions_key_;
};

struct ExchangeReply {
  ExchangeAnswer answer = ExchangeAnswer::kUnknown;
  std::uint64_t generation = 0;
  std::optional<Shares> granted;
  std::uint64_t epoch = 0;
};

// INTERNAL if the reply is not of the form that the script gives.
[[nodiscard]] absl::StatusOr<ExchangeReply> exchange_reply_of(const RedisReply& reply);
[[nodiscard]] absl::StatusOr<ShareSnapshot> snapshot_of(const RedisReply& reply);

}  // namespace drip::cluster
