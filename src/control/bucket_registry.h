// SPDX-License-Identifier: BSD-3-Clause
// The configured buckets by name.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/bucket_patch.h"
#include "control/bucket_state.h"
#include "control/mutex.h"
#include "control/request_queue.h"
#include "control/request_registry.h"
#include "core/engine.h"

namespace drip::control {

/// One configured bucket. Thread safe. It may be held longer than the bucket exists: the calls that
/// need the bucket then say so.
class KnownBucket {
 public:
  KnownBucket(Engine& engine, std::string id, BucketRef ref, const BucketSettings& settings,
              std::shared_ptr<RequestQueue> requests)
      : engine_(engine),
        id_(std::move(id)),
        ref_(ref),
        requests_(std::move(requests)),
        settings_(settings) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] BucketRef ref() const { return ref_; }
  [[nodiscard]] const std::shared_ptr<RequestQueue>& requests() const { return requests_; }
  [[nodiscard]] BucketSettings settings() const;

  /// None if the bucket was deleted meanwhile.
  [[nodiscard]] std::optional<BucketState> state() const;

  /// Calls use(settings) while the bucket cannot be deleted; false, without calling, if it was.
  [[nodiscard]] bool while_it_exists(absl::FunctionRef<void(const BucketSettings&)> use) const;

 private:
  friend class BucketRegistry;

  Engine& engine_;
  const std::string id_;
  const BucketRef ref_;
  const std::shared_ptr<RequestQueue> requests_;
  // Set before the exclusive lock is asked for, or a stream of readers would starve the deleter.
  std::atomic<bool> deleted_{false};
  // Held shared by whoever uses ref_, exclusively by whoever deletes the bucket or changes it.
  mutable SharedMutex use_;
  BucketSettings settings_ ABSL_GUARDED_BY(use_);
};

using KnownBucketRef = std::shared_ptr<KnownBucket>;

/// Reading is thread safe. Changes (the non-const calls) may not overlap one another.
class BucketRegistry {
 public:
  BucketRegistry(Engine& engine, RequestRegistry& requests)
      : engine_(engine), requests_(requests) {}

  /// Null if there is none of this name.
  [[nodiscard]] KnownBucketRef find(std::string_view id) const;
  /// NOT_FOUND naming `field`; INVALID_ARGUMENT if no bucket can have this name.
  [[nodiscard]] absl::StatusOr<KnownBucketRef> get(std::string_view field,
                                                   std::string_view id) const;
  [[nodiscard]] std::size_t size() const;
  /// Up to `limit` buckets whose ids begin with `prefix` and come after `after`, in order of id.
  [[nodiscard]] std::vector<KnownBucketRef> list(std::string_view prefix, std::string_view after,
                                                 std::size_t limit) const;

  struct Applied {
    std::uint32_t created = 0;
    std::uint32_t changed = 0;
  };
  /// All or nothing. INVALID_ARGUMENT if an id is there twice or a patch does not fit its bucket;
  /// otherwise the engine's refusal.
  [[nodiscard]] absl::StatusOr<Applied> apply(std::span<const BucketPatch> patches);
  /// REQUIRES: no rule sends packets to it. Its name is free at once.
  Removal remove(const KnownBucketRef& bucket, bool drop_backlog);

 private:
  Engine& engine_;
  RequestRegistry& requests_;
  mutable SharedMutex names_;
  std::map<std::string, KnownBucketRef, std::less<>> buckets_ ABSL_GUARDED_BY(names_);
};

}  // namespace drip::control
