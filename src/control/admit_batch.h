// SPDX-License-Identifier: BSD-3-Clause
// Admits the entries of one message of AllowRequests together.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/known_bucket.h"
#include "control/services_context.h"
#include "drip/bucket_settings.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

inline constexpr int kMaxBatchEntries = 1024;
inline constexpr std::uint32_t kMaxEntryUnits = 1024;

/// What one stream needs for its messages, one after another; kept, so that a message allocates
/// nothing but its requests' records. For one thread at a time.
class AdmitBatch {
 public:
  explicit AdmitBatch(const ServicesContext& context) : context_(context) {}

  /// Decides every entry of `message` and writes a result for each. INVALID_ARGUMENT, and nothing
  /// is admitted, for a message without entries or with too many.
  [[nodiscard]] absl::Status run(const v1::AllowRequestsRequest& message,
                                 v1::AllowRequestsResponse& response);

 private:
  using Entry = v1::AllowRequestsEntry;
  using Result = v1::AllowRequestsResult;

  // Buckets cannot be deleted while their entries wait for the engine.
  struct Held {
    KnownBucketRef bucket;
    KnownBucket::Use use;
  };
  // Goes with units_ of the same index.
  struct Waiting {
    Result* result = nullptr;
    std::shared_ptr<RequestQueue> queue;  // Of a request with a name.
    RequestHandle request;
  };

  [[nodiscard]] absl::Status add(const Entry& entry, Result& result);
  [[nodiscard]] absl::Status turn_to(const std::string& bucket_id);
  [[nodiscard]] absl::Status add_named(const Entry& entry, std::uint32_t wire_bytes,
                                       Result& result);
  /// Has the engine admit what waits.
  void flush();

  const ServicesContext& context_;
  std::string bucket_id_;  // Of the last entry that named one.
  absl::Status bucket_status_;
  BucketSettings settings_;  // Of held_.back(), while bucket_status_ is OK.
  std::vector<Held> held_;
  std::vector<UnitsToAdmit> units_;
  std::vector<Waiting> waiting_;
};

}  // namespace drip::control
