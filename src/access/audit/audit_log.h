// SPDX-License-Identifier: BSD-3-Clause
// A file with a line of JSON for each change, and for each call that was refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "access/audit/audit_record.h"
#include "base/file_descriptor.h"
#include "base/mutex.h"

namespace drip::access {

/// A thread of its own writes, so that no call waits for the disk. Thread safe.
class AuditLog {
 public:
  /// What may wait to be written, while the disk is full, say.
  static constexpr std::size_t kMostQueuedBytes = std::size_t{256} << 20;

  /// Appends to the file, which is made with mode 0600. A line without an end, as a power cut
  /// leaves it, gets one. UNAVAILABLE with the system's reason.
  [[nodiscard]] static absl::StatusOr<std::shared_ptr<AuditLog>> open(
      std::string path, std::size_t most_queued_bytes = kMostQueuedBytes);
  /// Writes what waits, and syncs the file.
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  void record(const AuditRecord& record);
  /// The records of the last `most_bytes` of the file as it is now, the oldest first. Lines that
  /// cannot be read are passed over; empty if the file cannot be.
  [[nodiscard]] std::vector<AuditRecord> read_tail(std::size_t most_bytes) const;
  /// Opens the file by its name again: after a rotation. The log does so by itself as well, when it
  /// sees before a line that the name is another file's.
  void reopen();

  /// What the operator should know: that lines wait or are lost, and why.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  AuditLog(std::string path, FileDescriptor file, std::size_t most_queued_bytes);
  void run();
  // Writes all of `lines`; false, with what is left in it, if the file takes no more.
  bool write(std::string& lines);
  void reopen_if_replaced(bool demanded);

  const std::string path_;
  const std::size_t most_queued_bytes_;
  // Of the thread.
  FileDescriptor file_;
  std::string current_line_;  // Of which a part may be in the file.

  mutable Mutex mutex_;
  Condition changed_;
  std::deque<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;  // Since the start.
  std::string error_ ABSL_GUARDED_BY(mutex_);       // Why nothing is written now; empty: it is.
  bool reopen_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::access
