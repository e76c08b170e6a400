// SPDX-License-Identifier: BSD-3-Clause
// One configured bucket: its name, its settings, its queue, and that it exists while it is used.
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
#include "base/ref_count.h"
#include "control/model/bucket_sharing.h"
#include "control/model/bucket_state.h"
#include "control/model/check_trees.h"
#include "control/model/compact_settings.h"
#include "control/model/request_queues.h"
#include "control/model/shared_buckets.h"
#include "engine/engine.h"

namespace drip::control {

class LocalQueue;

/// Thread safe. It may be held longer than the bucket exists: the calls that need the bucket then
/// say so. There may be millions, so a bucket that no request has come to has no queue, and no
/// mutex.
class BucketEntry {
 public:
  /// What all buckets of a node have in common; outlives their use.
  struct Node {
    Engine& engine;
    RequestQueues& local;
    RequestQueues* shared = nullptr;  ///< Null: no bucket's sharing can be exact.
  };

  /// For the first BucketEntryRef, which owns it. REQUIRES: the id is not longer than 255 bytes.
  [[nodiscard]] static BucketEntry* make(const Node& node, std::string_view id, BucketRef ref,
                                         const BucketDefinition& definition,
                                         std::uint64_t revision);
  BucketEntry(const BucketEntry&) = delete;
  BucketEntry& operator=(const BucketEntry&) = delete;
  static void operator delete(void* memory) { ::operator delete(memory); }

  [[nodiscard]] std::string id() const { return std::string(id_view()); }
  /// As long as it is held.
  [[nodiscard]] std::string_view id_view() const {
    return {reinterpret_cast<const char*>(this + 1), id_bytes_};
  }
  /// Where it is: while a Use is held, or no configuration can change. It moves otherwise.
  [[nodiscard]] BucketRef ref() const { return ref_.load(std::memory_order_acquire); }
  /// How often it has moved to another transmitter.
  [[nodiscard]] std::uint32_t moves() const { return moves_.load(std::memory_order_relaxed); }
  /// Where its requests queue at present: on this node or, with exact sharing, in Redis.
  [[nodiscard]] RequestQueues& queues() const;
  /// Whose read() tells its state: in a cluster also what a queue in Redis counted that it has no
  /// more.
  [[nodiscard]] RequestQueues& counted_by() const {
    return node_.shared != nullptr ? *node_.shared : node_.local;
  }
  /// Its queue on this node, which `make` makes when it is first asked for.
  [[nodiscard]] std::shared_ptr<LocalQueue> local_queue(
      absl::FunctionRef<std::shared_ptr<LocalQueue>()> make);
  [[nodiscard]] BucketSettings settings() const;
  [[nodiscard]] BucketSharing sharing() const;
  [[nodiscard]] BucketPlace place() const;
  [[nodiscard]] BucketDefinition definition() const;
  /// What is configured, and by which change: both as they were at one moment, whatever changes
  /// meanwhile. settings() and revision() one after the other may be of different changes.
  struct Configured {
    BucketDefinition definition;
    std::uint64_t revision = 0;
  };
  [[nodiscard]] Configured configured() const;
  /// place().inner alone: it takes neither packets nor requests.
  [[nodiscard]] bool inner() const { return inner_; }
  /// Whether its queue is more than plain FIFO: then it takes no requests.
  [[nodiscard]] bool queued() const { return queued_.load(std::memory_order_relaxed); }
  /// sharing().exact() alone, for less.
  [[nodiscard]] bool exact() const { return exact_.load(std::memory_order_relaxed); }
  /// Of its configuration: what BucketRegistry::apply() gave it.
  [[nodiscard]] std::uint64_t revision() const { return revision_.load(std::memory_order_relaxed); }

  /// Until when the bucket is busy according to what a restart would know: see RequestSchedules.
  [[nodiscard]] TimePoint stored_until() const { return {stored_until_ns_.load()}; }
  void set_stored_until(TimePoint until) { stored_until_ns_.store(until.ns); }

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
  /// Converts to false if the bucket was deleted. Waits while it moves, some milliseconds. Must not
  /// be held for long: whoever deletes the bucket waits for it.
  [[nodiscard]] Use use() const;

  /// While it is held (and converts to true) nobody else uses the bucket. For whoever moves it, who
  /// keeps the configuration from being changed meanwhile.
  class Move {
   public:
    Move(Move&& other) noexcept : bucket_(std::exchange(other.bucket_, nullptr)) {}
    Move& operator=(Move&&) = delete;
    ~Move() {
      if (bucket_ != nullptr) bucket_->end_move();
    }
    explicit operator bool() const { return bucket_ != nullptr; }
    /// It is there from now on.
    void finish(BucketRef now) {
      bucket_->ref_.store(now, std::memory_order_release);
      bucket_->moves_.fetch_add(1, std::memory_order_relaxed);
    }

   private:
    friend class BucketEntry;
    explicit Move(BucketEntry* bucket) : bucket_(bucket) {}
    BucketEntry* bucket_;
  };
  /// Converts to false if somebody uses it, or ever had requests wait in it, whose queue knows
  /// where they wait. Does not wait.
  [[nodiscard]] Move try_move();

  /// False if the bucket was deleted.
  [[nodiscard]] bool exists() const {
    return (uses_.load(std::memory_order_acquire) & kDeleted) == 0;
  }

  RefCount& ref_count() { return refs_; }
  static void dispose(BucketEntry* entry) { delete entry; }

 private:
  friend class BucketRegistry;
  friend SharedBuckets::Bucket shared_bucket(const BucketEntry& bucket);
  // The bytes of the id lie behind it.
  struct IdBytes {
    std::size_t count;
  };
  static void* operator new(std::size_t bytes, IdBytes id) {
    return ::operator new(bytes + id.count);
  }
  static void operator delete(void* memory, IdBytes /*id*/) { ::operator delete(memory); }
  BucketEntry(const Node& node, std::string_view id, BucketRef ref,
              const BucketDefinition& definition, std::uint64_t revision);
  ~BucketEntry() = default;
  static constexpr std::uint32_t kDeleted = 1U << 31;
  static constexpr std::uint32_t kMoving = 1U << 30;

  void change(const BucketDefinition& definition, std::uint64_t revision);
  /// Turns newcomers away and waits for those who use it.
  void end_existence();
  void end_use() const;
  void end_move();
  // Of a bucket of scope NODE there is nothing to remember.
  static std::unique_ptr<const BucketSharing> remembered(const BucketSharing& sharing);
  // Of a bucket that is in no tree likewise.
  static std::unique_ptr<const BucketPlace> remembered(const BucketPlace& place);

  const Node& node_;
  std::atomic<BucketRef> ref_;
  std::atomic<std::uint64_t> revision_;         // Changes with what lock_ guards.
  mutable std::atomic<std::uint32_t> uses_{0};  // And kDeleted or kMoving.
  std::atomic<std::uint32_t> moves_{0};
  std::atomic<decltype(TimePoint::ns)> stored_until_ns_{0};
  RefCount refs_;
  std::atomic<bool> exact_;
  std::atomic<bool> queued_;
  mutable SpinLock lock_;  // For copies and swaps of what follows.
  const std::uint8_t id_bytes_;
  const bool inner_;
  CompactSettings settings_ ABSL_GUARDED_BY(lock_);
  std::unique_ptr<const BucketSharing> sharing_ ABSL_GUARDED_BY(lock_);  // Null: the default.
  std::unique_ptr<const BucketPlace> place_ ABSL_GUARDED_BY(lock_);      // The same.
  std::shared_ptr<LocalQueue> local_queue_ ABSL_GUARDED_BY(lock_);
};

using BucketEntryRef = Ref<BucketEntry>;

/// The bucket as calls of the cluster name it: settings and revision of one moment, since Redis
/// takes the settings that it first sees with a revision.
[[nodiscard]] SharedBuckets::Bucket shared_bucket(const BucketEntry& bucket);

}  // namespace drip::control
