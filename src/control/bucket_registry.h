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
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/bucket_patch.h"
#include "control/bucket_sharing.h"
#include "control/bucket_state.h"
#include "control/mutex.h"
#include "control/request_queue.h"
#include "control/request_registry.h"
#include "control/shared_buckets.h"
#include "core/engine.h"

namespace drip::control {

/// One configured bucket. Thread safe. It may be held longer than the bucket exists: the calls that
/// need the bucket then say so.
class KnownBucket {
 public:
  KnownBucket(Engine& engine, std::string id, BucketRef ref, const BucketSettings& settings,
              BucketSharing sharing, std::shared_ptr<RequestQueue> requests)
      : engine_(engine),
        id_(std::move(id)),
        ref_(ref),
        requests_(std::move(requests)),
        settings_(settings),
        sharing_(std::move(sharing)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] BucketRef ref() const { return ref_; }
  [[nodiscard]] const std::shared_ptr<RequestQueue>& requests() const { return requests_; }
  [[nodiscard]] BucketSettings settings() const;
  [[nodiscard]] BucketSharing sharing() const;
  /// Of its configuration: what the last set_revision() said, which is for whoever changes it.
  [[nodiscard]] std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  void set_revision(std::uint64_t revision) {
    revision_.store(revision, std::memory_order_relaxed);
  }

  /// None if the bucket was deleted meanwhile. Without `share`, which the cluster knows.
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
  std::atomic<std::uint64_t> revision_{0};
  // Held shared by whoever uses ref_, exclusively by whoever deletes the bucket or changes it.
  mutable SharedMutex use_;
  BucketSettings settings_ ABSL_GUARDED_BY(use_);
  BucketSharing sharing_ ABSL_GUARDED_BY(use_);
};

using KnownBucketRef = std::shared_ptr<KnownBucket>;

/// Reading is thread safe. Changes (the non-const calls) may not overlap one another.
class BucketRegistry {
 public:
  BucketRegistry(Engine& engine, RequestRegistry& requests)
      : engine_(engine), requests_(requests) {}

  /// Before anything is configured. Null, as at first, on a node that is in no cluster: no bucket's
  /// scope can be CLUSTER then. Outlives the registry's use.
  void set_shared(const SharedBuckets* shared) { shared_ = shared; }

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
  /// FAILED_PRECONDITION for scope CLUSTER on a node that is in none; otherwise the engine's
  /// refusal.
  [[nodiscard]] absl::StatusOr<Applied> apply(std::span<const BucketPatch> patches);
  /// Whether it may get packets after this: an exact bucket may not. True if the patch does not
  /// fit.
  [[nodiscard]] bool takes_packets(const BucketPatch& patch) const;
  /// REQUIRES: no rule sends packets to it. Its name is free at once.
  Removal remove(const KnownBucketRef& bucket, bool drop_backlog);

 private:
  struct Definition {
    BucketSettings settings;
    BucketSharing sharing;
  };
  [[nodiscard]] absl::StatusOr<Definition> define(const BucketPatch& patch,
                                                  const KnownBucket* present) const;

  Engine& engine_;
  RequestRegistry& requests_;
  const SharedBuckets* shared_ = nullptr;
  mutable SharedMutex names_;
  std::map<std::string, KnownBucketRef, std::less<>> buckets_ ABSL_GUARDED_BY(names_);
};

}  // namespace drip::control
