// SPDX-License-Identifier: BSD-3-Clause
// The run id is read anew with each connection.
#include "cluster/shares/store/share_link.h"

#include <span>
#include <utility>

#include "base/log.h"
#include "base/text.h"

namespace drip::cluster {

absl::Status ShareLink::open(Deadline connect_by, Deadline deadline) {
  if (!link_.connected()) {
    if (absl::Status status = link_.connect(connect_by); !status.ok()) return status;
  }
  if (run_id_of_connection_ == link_.connections() && !run_id_.empty()) return absl::OkStatus();
  return find_run_id(deadline);
}

absl::Status ShareLink::find_run_id(Deadline deadline) {
  const auto info = link_.command({"INFO", "server"}, deadline);
  if (!info.ok()) {
    if (link_.connected() && !is_refused_to_all(info.status())) {
      set_obstacle(joined("Redis at ", link_.peer(),
                          " refuses INFO, which tells one process of Redis from another: split "
                          "buckets stay at their failure policy (",
                          message_of(info.status()), ")"));
    }
    return info.status();
  }
  const std::string* const text = info->text();
  const std::size_t begin = text == nullptr ? std::string::npos : text->find("run_id:");
  if (begin == std::string::npos) {
    return absl::InternalError("INFO of Redis names no run_id");
  }
  set_obstacle("");
  run_id_ = text->substr(begin + 7, text->find_first_of("\r\n", begin) - begin - 7);
  run_id_of_connection_ = link_.connections();
  return absl::OkStatus();
}

absl::StatusOr<RedisReply> ShareLink::run(const ScriptCall& call, Deadline deadline) {
  auto replies = link_.scripts(std::span(&call, 1), deadline);
  if (!replies.ok()) return replies.status();
  if (run_id_of_connection_ != link_.connections()) {
    return absl::UnavailableError("the connection to Redis is another one than before");
  }
  if (absl::Status status = status_of(replies->front()); !status.ok()) return status;
  return std::move(replies->front());
}

std::string ShareLink::obstacle() const {
  MutexLock lock(mutex_);
  return obstacle_;
}

void ShareLink::set_obstacle(std::string why) {
  MutexLock lock(mutex_);
  if (obstacle_ == why) return;
  obstacle_ = std::move(why);
  if (!obstacle_.empty()) write_log(LogLevel::kWarning, joined("shares: ", obstacle_));
}

}  // namespace drip::cluster
