// SPDX-License-Identifier: BSD-3-Clause
// The lease protocol's calls as script calls, and their replies.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_script.h"
#include "cluster/shares/lease/share_allocator.h"
#include "cluster/shares/lease/share_groups.h"
#include "cluster/shares/lease/share_holder.h"
#include "cluster/shares/lease/share_learning.h"

namespace drip::cluster {

/// One group's part of a call that makes exchanges.
struct GroupExchange {
  std::uint32_t group = 0;
  ShareHolder::Exchange exchange;
  Demands demands;  ///< Not sent where the exchange says that nothing has changed.
};
/// One group's part of a call that applies plans.
struct GroupPlan {
  std::uint32_t group = 0;
  SharePlan plan;
};

/// Makes the calls of one cluster. Immutable. `run_id`: of the Redis process that is asked.
class ShareScripts {
 public:
  /// `prefix`: of all keys of the cluster; `leader_key`: whose epoch fences the leader's calls.
  ShareScripts(std::string_view prefix, std::string leader_key);

  /// All exchanges of one generation.
  [[nodiscard]] ScriptCall exchange(std::string_view run_id, std::string_view session,
                                    std::string_view node_id, std::uint64_t generation,
                                    std::span<const GroupExchange> exchanges) const;
  [[nodiscard]] ScriptCall leave(std::string_view run_id, std::string_view session,
                                 std::span<const std::uint32_t> groups) const;
  /// Reads what tells which groups have news: see SharePoll. Changes only if `with_changes`.
  [[nodiscard]] ScriptCall poll(std::string_view run_id, bool with_changes) const;
  [[nodiscard]] ScriptCall heads(std::string_view run_id) const;
  [[nodiscard]] ScriptCall read(std::string_view run_id,
                                std::span<const std::uint32_t> groups) const;
  /// Gives up a node whose leases are over, with its safe shares and its entry in the hash
  /// `members_key` (heartbeat.lua).
  [[nodiscard]] ScriptCall forget(std::string_view run_id, std::string_view node_id,
                                  const std::string& members_key) const;

  // For the leader.

  /// New data, if Redis has none of its present process. `generation` is not 0.
  [[nodiscard]] ScriptCall begin(std::string_view run_id, std::uint64_t epoch,
                                 std::uint64_t generation) const;
  /// REQUIRES: `step` is not kNone.
  [[nodiscard]] ScriptCall step(std::string_view run_id, std::uint64_t epoch,
                                std::uint64_t generation, ShareLearning::Step step) const;
  [[nodiscard]] ScriptCall apply(std::string_view run_id, std::uint64_t epoch,
                                 std::uint64_t generation, std::span<const GroupPlan> plans) const;

 private:
  [[nodiscard]] ScriptCall call(std::uint64_t epoch, std::string_view operation,
                                std::string_view run_id, std::vector<std::string> more) const;
  void add_group_key(std::uint32_t group, ScriptCall& call) const;
  void add_all_group_keys(ScriptCall& call) const;

  const std::string leader_key_;
  const std::string prefix_;
};

struct ExchangeReply {
  ExchangeAnswer answer = ExchangeAnswer::kUnknown;
  bool as_held = false;           ///< What is granted is what the exchange reported.
  std::optional<Shares> granted;  ///< None if nothing was granted yet, or as_held.
};
struct ExchangeReplies {
  std::uint64_t generation = 0;
  std::uint64_t epoch = 0;
  /// By exchange; all kUnknown if Redis has other data.
  std::vector<ExchangeReply> groups;
};

/// What the groups' plans and changes have come to; a group without any is not there.
struct SharePoll {
  ShareData data;
  std::map<std::uint32_t, std::uint64_t> versions;
  std::map<std::uint32_t, std::uint64_t> changes;
};

// INTERNAL if the reply is not of the form that the script gives.
[[nodiscard]] absl::StatusOr<ExchangeReplies> exchange_replies_of(const RedisReply& reply,
                                                                  std::size_t exchanges);
[[nodiscard]] absl::StatusOr<SharePoll> poll_of(const RedisReply& reply);
/// By group.
[[nodiscard]] absl::StatusOr<std::map<std::uint32_t, ShareHeads>> heads_of(const RedisReply& reply);
[[nodiscard]] absl::StatusOr<std::map<std::uint32_t, ShareSnapshot>> snapshots_of(
    const RedisReply& reply);
/// By plan: whether it was applied.
[[nodiscard]] absl::StatusOr<std::vector<bool>> applied_of(const RedisReply& reply,
                                                           std::size_t plans);
struct ForgetReply {
  std::uint64_t sessions = 0;  ///< Of all groups.
  bool listed = false;
};
/// FAILED_PRECONDITION if the node lives or a lease of it may.
[[nodiscard]] absl::StatusOr<ForgetReply> forgotten_of(const RedisReply& reply);

}  // namespace drip::cluster
