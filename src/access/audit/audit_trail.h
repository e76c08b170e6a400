// SPDX-License-Identifier: BSD-3-Clause
// Where changes and refused calls are recorded: in memory, and in the audit log if there is one.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "access/audit/audit_log.h"
#include "access/audit/audit_record.h"
#include "access/audit/recent_changes.h"
#include "base/mutex.h"

namespace drip::access {

/// Thread safe.
class AuditTrail {
 public:
  /// Refused calls that are recorded a second; the others are counted in the next record.
  static constexpr std::size_t kMostRefusedASecond = 100;
  /// What is read at the start of the end of a log that is there: some 3,000 changes.
  static constexpr std::size_t kTailBytes = std::size_t{1} << 20;

  /// Begins with the last records of `log`, whose file may have those of the processes before.
  /// Null: there is no log.
  explicit AuditTrail(std::shared_ptr<AuditLog> log);

  void record(const AuditRecord& record);
  /// The same for a call that was not let through. A client can cause any number of these.
  void record_refused(AuditRecord record);

  [[nodiscard]] const RecentChanges& recent() const { return recent_; }
  /// Those of the log.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  const std::shared_ptr<AuditLog> log_;
  RecentChanges recent_;

  Mutex mutex_;
  std::chrono::system_clock::time_point refused_since_ ABSL_GUARDED_BY(mutex_);
  std::size_t refused_ ABSL_GUARDED_BY(mutex_) = 0;  // In the second from then on.
  std::uint64_t refused_more_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace drip::access
