// SPDX-License-Identifier: BSD-3-Clause
// One capture of a bucket's frames, from its begin to its end; a node has one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/rpc/streams/captured_bucket.h"
#include "drip/v1/capture.pb.h"
#include "engine/capture_ring.h"
#include "engine/engine.h"

namespace drip::control {

/// Says which bucket of the node is captured at present. Thread safe; outlives the sessions.
class CapturePlace {
 public:
  /// RESOURCE_EXHAUSTED, naming the other bucket, if there is a capture.
  [[nodiscard]] absl::Status take(const std::string& bucket_id);
  void leave();

 private:
  Mutex mutex_;
  std::string bucket_id_ ABSL_GUARDED_BY(mutex_);  // Empty: none.
};

/// Ends the capture when it is destroyed. For one thread at a time.
class CaptureSession {
 public:
  /// NOT_FOUND; FAILED_PRECONDITION for an inner node; INVALID_ARGUMENT naming field, value and
  /// what is allowed; RESOURCE_EXHAUSTED if another capture is under way.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<CaptureSession>> begin(
      Engine& engine, const BucketRegistry& buckets, const Configuration& configuration,
      CapturePlace& place, const v1::CaptureRequest& request);
  ~CaptureSession();
  CaptureSession(const CaptureSession&) = delete;
  CaptureSession& operator=(const CaptureSession&) = delete;

  /// Moves frames into `response`, as many as fit a message, with the counts, and the end if it has
  /// come. True if more frames may be there.
  bool read(v1::CaptureResponse& response);
  [[nodiscard]] std::uint64_t frames() const { return frames_; }

 private:
  struct Limits {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
    Duration span;
  };
  [[nodiscard]] static absl::StatusOr<Limits> read_limits(const v1::CaptureRequest& request);
  CaptureSession(Engine& engine, CapturePlace& place, const CaptureSettings& settings,
                 const Limits& limits);
  [[nodiscard]] v1::CaptureEnd end_now() const;

  Engine& engine_;
  CapturePlace& place_;
  const Limits limits_;
  CaptureRing ring_;
  std::optional<CapturedBucket> bucket_;  // None before the capture has begun.
  TimePoint ends_;
  std::uint64_t frames_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace drip::control
