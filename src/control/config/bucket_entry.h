// SPDX-License-Identifier: BSD-3-Clause
// One configured bucket: its name, its settings, its requests, and that it exists while it is used.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/functional/function_ref.h"
#include "base/mutex.h"
#include "control/model/bucket_sharing.h"
#include "control/model/bucket_state.h"
#include "control/requests/request_queue.h"
#include "control/requests/request_registry.h"
#include "engine/engine.h"

namespace drip::control {

class BucketEntryRef;

/// Thread safe. It may be held longer than the bucket exists: the calls that need the bucket then
/// say so. There may be millions, so a bucket that nobody has asked for has no queue of requests,
/// and no mutex.
class BucketEntry {
 public:
  /// For the first BucketEntryRef, which owns it. REQUIRES: the id is not longer than 255 bytes.
  [[nodiscard]] static BucketEntry* make(RequestRegistry& requests, std::string_view id,
                                         BucketRef ref, const BucketSettings& settings,
                                         const BucketSharing& sharing);
  BucketEntry(const BucketEntry&) = delete;
  BucketEntry& operator=(const BucketEntry&) = delete;
  static void operator delete(void* memory) { ::operator delete(memory); }

  [[nodiscard]] std::string id() const { return std::string(id_view()); }
  /// As long as it is held.
  [[nodiscard]] std::string_view id_view() const {
    return {reinterpret_cast<const char*>(this + 1), id_bytes_};
  }
  [[nodiscard]] BucketRef ref() const { return ref_; }
  /// Is made when it is first asked for.
  [[nodiscard]] std::shared_ptr<RequestQueue> requests();
  [[nodiscard]] BucketSettings settings() const;
  [[nodiscard]] BucketSharing sharing() const;
  /// sharing().exact() alone, for less.
  [[nodiscard]] bool exact() const;
  /// Of its configuration: what the last set_revision() said, which is for whoever changes it.
  [[nodiscard]] std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }
  void set_revision(std::uint64_t revision) {
    revision_.store(revision, std::memory_order_relaxed);
  }

  /// None if the bucket was deleted meanwhile. Without `share`, which the cluster knows.
  [[nodiscard]] std::optional<BucketState> state() const;
  /// How many units wait in it; 0 if it was deleted.
  [[nodiscard]] std::uint64_t backlog() const;

  /// While it is held (and converts to true) the bucket cannot be deleted. Movable.
  class Use {
   public:
    Use() = default;
    Use(Use&& other) noexcept : bucket_(std::exchange(other.bucket_, nullptr)) {}
    Use& operator=(Use&& other) noexcept {
      std::swap(bucket_, other.bucket_);
      return *this;
    }
    ~Use() {
      if (bucket_ != nullptr) bucket_->end_use();
    }
    explicit operator bool() const { return bucket_ != nullptr; }

   private:
    friend class BucketEntry;
    explicit Use(const BucketEntry& bucket) : bucket_(&bucket) {}
    const BucketEntry* bucket_ = nullptr;
  };
  /// Converts to false if the bucket was deleted. Does not wait. Must not be held for long: whoever
  /// deletes the bucket waits for it.
  [[nodiscard]] Use use() const;

  /// Calls use(settings) while the bucket cannot be deleted; false, without calling, if it was.
  [[nodiscard]] bool while_it_exists(absl::FunctionRef<void(const BucketSettings&)> use) const;

 private:
  friend class BucketRegistry;
  friend class BucketEntryRef;
  // The bytes of the id lie behind it.
  struct IdBytes {
    std::size_t count;
  };
  static void* operator new(std::size_t bytes, IdBytes id) {
    return ::operator new(bytes + id.count);
  }
  static void operator delete(void* memory, IdBytes /*id*/) { ::operator delete(memory); }
  BucketEntry(RequestRegistry& requests, std::string_view id, BucketRef ref,
              const BucketSettings& settings, const BucketSharing& sharing);
  ~BucketEntry() = default;
  static constexpr std::uint32_t kDeleted = 1U << 31;

  void change(const BucketSettings& settings, const BucketSharing& sharing);
  /// Turns newcomers away and waits for those who use it.
  void end_existence();
  void end_use() const;
  // Of a bucket of scope NODE there is nothing to remember.
  static std::unique_ptr<const BucketSharing> remembered(const BucketSharing& sharing);

  RequestRegistry& registry_;
  const BucketRef ref_;
  std::atomic<std::uint64_t> revision_{0};
  mutable std::atomic<std::uint32_t> uses_{0};  // And kDeleted.
  std::atomic<std::uint32_t> refs_{0};
  mutable SpinLock lock_;  // For copies and swaps of what follows.
  const std::uint8_t id_bytes_;
  BucketSettings settings_ ABSL_GUARDED_BY(lock_);
  std::unique_ptr<const BucketSharing> sharing_ ABSL_GUARDED_BY(lock_);  // Null: the default.
  std::shared_ptr<RequestQueue> requests_ ABSL_GUARDED_BY(lock_);
};

/// Counts references within the bucket, which saves a control block each. One reference may be used
/// by one thread at a time, different ones by any.
class BucketEntryRef {
 public:
  BucketEntryRef() = default;
  BucketEntryRef(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): as shared_ptr has it.
  explicit BucketEntryRef(BucketEntry* bucket) : bucket_(bucket) {
    if (bucket_ != nullptr) bucket_->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  BucketEntryRef(const BucketEntryRef& other) : BucketEntryRef(other.bucket_) {}
  BucketEntryRef(BucketEntryRef&& other) noexcept
      : bucket_(std::exchange(other.bucket_, nullptr)) {}
  BucketEntryRef& operator=(BucketEntryRef other) noexcept {
    std::swap(bucket_, other.bucket_);
    return *this;
  }
  ~BucketEntryRef() {
    if (bucket_ != nullptr && bucket_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete bucket_;
    }
  }

  [[nodiscard]] BucketEntry* get() const { return bucket_; }
  BucketEntry* operator->() const { return bucket_; }
  BucketEntry& operator*() const { return *bucket_; }
  explicit operator bool() const { return bucket_ != nullptr; }
  friend bool operator==(const BucketEntryRef& a, const BucketEntryRef& b) = default;
  friend bool operator==(const BucketEntryRef& a, std::nullptr_t) { return a.bucket_ == nullptr; }

 private:
  BucketEntry* bucket_ = nullptr;
};

}  // namespace drip::control
