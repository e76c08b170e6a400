// SPDX-License-Identifier: BSD-3-Clause
// Decides the entries of one message of AllowRequests together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "access/caller.h"
#include "control/config/bucket_entry.h"
#include "control/requests/admission_batch.h"
#include "control/rpc/calls/services_context.h"
#include "drip/bucket_settings.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

inline constexpr int kMaxBatchEntries = 1024;
inline constexpr std::uint32_t kMaxEntryUnits = 1024;

/// What one stream needs for its messages, one after another. One run() at a time.
class AdmitMessage final : private AdmissionBatch::Results {
 public:
  AdmitMessage(const ServicesContext& context, access::CallerRef caller)
      : context_(context), caller_(std::move(caller)), batch_(context.engine, *this) {}

  /// Decides every entry of `message` and writes a result for each; then calls `done`, within or
  /// on another thread, as AdmissionBatch::run() does. Message and response must stay until then,
  /// and so must this. INVALID_ARGUMENT, and nothing is admitted and `done` not called, for a
  /// message without entries or with too many.
  [[nodiscard]] absl::Status run(const v1::AllowRequestsRequest& message,
                                 v1::AllowRequestsResponse& response, std::function<void()> done);

 private:
  [[nodiscard]] absl::Status add(const v1::AllowRequestsEntry& entry, std::size_t index);
  [[nodiscard]] absl::Status select_bucket(const std::string& bucket_id);
  void answered(std::size_t index, const Ticket& ticket) override;
  void failed(std::size_t index, const absl::Status& status) override;

  const ServicesContext& context_;
  const access::CallerRef caller_;
  AdmissionBatch batch_;
  v1::AllowRequestsResponse* response_ = nullptr;  // Of the run under way.
  // The bucket of the last entry that named one.
  std::string bucket_id_;
  absl::Status bucket_status_;
  BucketEntryRef bucket_;    // While bucket_status_ is OK.
  BucketSettings settings_;  // Of bucket_.
};

}  // namespace drip::control
