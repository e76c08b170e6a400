// SPDX-License-Identifier: BSD-3-Clause
// Admits the entries of one message of AllowRequests together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "control/config/bucket_entry.h"
#include "control/model/shared_buckets.h"
#include "control/rpc/services_context.h"
#include "drip/bucket_settings.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

inline constexpr int kMaxBatchEntries = 1024;
inline constexpr std::uint32_t kMaxEntryUnits = 1024;

/// What one stream needs for its messages, one after another; kept, so that a message allocates
/// nothing but its requests' records, and what exact buckets need. One run() at a time.
class AdmitBatch {
 public:
  explicit AdmitBatch(const ServicesContext& context) : context_(context) {}

  /// Decides every entry of `message` and writes a result for each; then calls `done`, within or
  /// when the cluster has answered for the entries of exact buckets, on another thread then.
  /// Message and response must stay until then, and so must this. INVALID_ARGUMENT, and nothing is
  /// admitted and `done` not called, for a message without entries or with too many.
  [[nodiscard]] absl::Status run(const v1::AllowRequestsRequest& message,
                                 v1::AllowRequestsResponse& response, std::function<void()> done);

 private:
  using Entry = v1::AllowRequestsEntry;
  using Result = v1::AllowRequestsResult;

  // Buckets cannot be deleted while their entries wait for the engine.
  struct Held {
    BucketEntryRef bucket;
    BucketEntry::Use use;
  };
  // Goes with units_ of the same index.
  struct Waiting {
    Result* result = nullptr;
    std::shared_ptr<RequestQueue> queue;  // Of a request with a name.
    RequestHandle request;
  };

  /// Whether an exact bucket is the cluster's to decide at present, or open and the node's own.
  enum class Decides : std::uint8_t { kCluster, kNode };

  void add(int index, Decides exact_by);
  [[nodiscard]] absl::Status add(const Entry& entry, Result& result, int index, Decides exact_by);
  [[nodiscard]] absl::Status turn_to(const std::string& bucket_id, Decides exact_by);
  [[nodiscard]] absl::Status add_named(const Entry& entry, std::uint32_t wire_bytes,
                                       Result& result);
  /// Has the engine admit what waits.
  void flush();
  [[nodiscard]] absl::Status add_exact(const Entry& entry, int index);
  void write_exact(int index, const absl::StatusOr<SharedTicket>& ticket);
  void one_answered();
  [[nodiscard]] const std::string& bucket_of(int index) const;

  const ServicesContext& context_;
  std::string bucket_id_;  // Of the last entry that named one.
  absl::Status bucket_status_;
  BucketSettings settings_;  // Of held_.back(), while bucket_status_ is OK.
  std::vector<Held> held_;
  std::vector<UnitsToAdmit> units_;
  std::vector<Waiting> waiting_;

  // Of the run under way.
  const v1::AllowRequestsRequest* message_ = nullptr;
  v1::AllowRequestsResponse* response_ = nullptr;
  std::function<void()> done_;
  std::optional<SharedBuckets::Bucket> exact_;  // The last bucket, if the cluster decides it.
  std::vector<SharedBuckets::Admission> admissions_;
  // By entry: not answered by the cluster, and the bucket is open. Each is written by one thread,
  // before it counts down what is unanswered.
  std::vector<char> left_to_us_;
  std::atomic<std::size_t> unanswered_{0};
};

}  // namespace drip::control
