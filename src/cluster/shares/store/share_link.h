// SPDX-License-Identifier: BSD-3-Clause
// The link of the shares' thread, which knows which process of Redis answers.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/redis/redis_link.h"

namespace drip::cluster {

/// For one thread, but for obstacle().
class ShareLink {
 public:
  explicit ShareLink(RedisOptions options) : link_(std::move(options)) {}

  /// Connects if need be, for which it has until `connect_by`, and finds out the process's run id.
  [[nodiscard]] absl::Status open(Deadline connect_by, Deadline deadline);
  [[nodiscard]] bool open() const { return link_.connected() && !run_id_.empty(); }
  /// The reply, no error of Redis's. UNAVAILABLE if another process than run_id()'s might have
  /// answered.
  [[nodiscard]] absl::StatusOr<RedisReply> run(const ScriptCall& call, Deadline deadline);
  [[nodiscard]] const std::string& run_id() const { return run_id_; }
  /// Why no share can be leased though Redis answers; empty if nothing is in the way. Thread safe.
  [[nodiscard]] std::string obstacle() const;

 private:
  [[nodiscard]] absl::Status find_run_id(Deadline deadline);
  void set_obstacle(std::string why);

  RedisLink link_;
  std::uint64_t run_id_of_connection_ = 0;
  std::string run_id_;

  mutable Mutex mutex_;
  std::string obstacle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::cluster
