// SPDX-License-Identifier: BSD-3-Clause
#include "access/audit/audit_trail.h"

#include <utility>

#include "base/text.h"

namespace drip::access {

AuditTrail::AuditTrail(std::shared_ptr<AuditLog> log) : log_(std::move(log)) {
  if (log_ == nullptr) return;
  for (AuditRecord& record : log_->read_tail(kTailBytes)) recent_.add(std::move(record));
}

void AuditTrail::record(const AuditRecord& record) {
  if (log_ != nullptr) log_->record(record);
  recent_.add(record);
}

void AuditTrail::record_refused(AuditRecord record) {
  {
    MutexLock lock(mutex_);
    if (record.time - refused_since_ >= std::chrono::seconds(1) || record.time < refused_since_) {
      refused_since_ = record.time;
      refused_ = 0;
    }
    if (++refused_ > kMostRefusedASecond) {
      ++refused_more_;
      return;
    }
    if (refused_more_ > 0) {
      record.error += joined(" (", std::exchange(refused_more_, 0), " more refused calls before)");
    }
  }
  this->record(record);
}

std::vector<std::string> AuditTrail::warnings() const {
  return log_ == nullptr ? std::vector<std::string>() : log_->warnings();
}

}  // namespace drip::access
