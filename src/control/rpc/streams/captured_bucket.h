// SPDX-License-Identifier: BSD-3-Clause
// The bucket of a capture: one that has a name, or one that a per-flow rule made.
#pragma once

#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "engine/capture_ring.h"
#include "engine/engine.h"

namespace drip::control {

/// For one thread at a time.
class CapturedBucket {
 public:
  /// From now on frames of the bucket are copied to `ring`, until end(). `id`: a bucket, or
  /// `rule/flow` as BucketListing has it, which is looked for if no bucket has that name: up to
  /// 50 ms with 100,000 flows. NOT_FOUND and INVALID_ARGUMENT, naming `field`; FAILED_PRECONDITION
  /// for an inner node of a tree.
  [[nodiscard]] static absl::StatusOr<CapturedBucket> begin(Engine& engine,
                                                            const BucketRegistry& buckets,
                                                            const Configuration& configuration,
                                                            std::string_view field,
                                                            std::string_view id, CaptureRing& ring);
  void end(Engine& engine) const { engine.end_capture(ref_); }
  /// False once it is deleted, or its flow has ended, also if there is another one of its name.
  [[nodiscard]] bool exists(Engine& engine) const {
    return named_ != nullptr ? named_->exists() : engine.is_captured(ref_);
  }

 private:
  CapturedBucket(BucketEntryRef named, BucketRef ref) : named_(std::move(named)), ref_(ref) {}

  BucketEntryRef named_;  // Null of a flow's.
  BucketRef ref_;
};

}  // namespace drip::control
