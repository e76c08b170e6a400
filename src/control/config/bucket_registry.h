// SPDX-License-Identifier: BSD-3-Clause
// The configured buckets by name.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/config/bucket_entry.h"
#include "control/config/bucket_forest.h"
#include "control/model/bucket_patch.h"
#include "control/model/bucket_sharing.h"
#include "control/model/node_totals.h"
#include "control/model/request_queues.h"
#include "control/model/rule_spec.h"
#include "engine/engine.h"

namespace drip::control {

/// Reading is thread safe. Changes (the non-const calls) may not overlap one another.
class BucketRegistry {
 public:
  BucketRegistry(Engine& engine, RequestQueues& local) : node_{engine, local} {}
  BucketRegistry(const BucketRegistry&) = delete;
  BucketRegistry& operator=(const BucketRegistry&) = delete;

  /// Before anything is configured. Null, as at first, on a node that is in no cluster: no bucket's
  /// scope can be CLUSTER then. Outlives the registry's use.
  void set_shared_queues(RequestQueues* shared) { node_.shared = shared; }

  /// Null if there is none of this name.
  [[nodiscard]] BucketEntryRef find(std::string_view id) const;
  /// NOT_FOUND naming `field`; INVALID_ARGUMENT if no bucket can have this name.
  [[nodiscard]] absl::StatusOr<BucketEntryRef> get(std::string_view field,
                                                   std::string_view id) const;
  /// The same for a bucket that can hold units: FAILED_PRECONDITION for an inner node of a tree.
  [[nodiscard]] absl::StatusOr<BucketEntryRef> get_leaf(std::string_view field,
                                                        std::string_view id) const;
  [[nodiscard]] std::size_t size() const;
  /// Up to `limit` buckets whose ids begin with `prefix` and come after `after`, in order of id.
  [[nodiscard]] std::vector<BucketEntryRef> list(std::string_view prefix, std::string_view after,
                                                 std::size_t limit) const;
  /// Those whose rate is split among nodes, in order of id.
  [[nodiscard]] std::vector<BucketEntryRef> split_buckets() const;
  /// Up to `limit` of them that come after `after`.
  [[nodiscard]] std::vector<BucketEntryRef> split_buckets(std::string_view after,
                                                          std::size_t limit) const;
  /// Changes whenever one of them is made, changed or removed: read it before split_buckets().
  [[nodiscard]] std::uint64_t split_changes() const {
    return split_changes_.load(std::memory_order_acquire);
  }

  struct Applied {
    std::uint32_t created = 0;
    std::uint32_t changed = 0;
  };
  /// All or nothing. INVALID_ARGUMENT if an id is there twice or a patch does not fit its bucket;
  /// FAILED_PRECONDITION for scope CLUSTER on a node that is in none; the errors of check_trees();
  /// otherwise the engine's error. `revisions`: what each bucket's revision is from then on, for
  /// each patch one; empty: it stays, and that of a new bucket is 0. Whoever sees new settings with
  /// BucketEntry::configured() sees the new revision with them.
  [[nodiscard]] absl::StatusOr<Applied> apply(std::span<const BucketPatch> patches,
                                              std::span<const std::uint64_t> revisions = {});
  /// Whether it may get packets after this: an exact bucket may not. True if the patch does not
  /// fit.
  [[nodiscard]] bool takes_packets(const BucketPatch& patch) const;
  /// The bucket of this name and all that are below it in a tree, each after its parent. Empty if
  /// there is none.
  [[nodiscard]] std::vector<BucketEntryRef> subtree(std::string_view id) const;
  [[nodiscard]] std::size_t children_of(std::string_view id) const;
  /// The buckets that move to another polling thread with this one, each after its parent: all of
  /// its tree, or it alone if it is in none or right below a spread root. Empty if they cannot
  /// move: they are more than Engine::kMostNodesOfAMove, a per-flow rule has its buckets among
  /// them, or its tree is below a spread root.
  [[nodiscard]] std::vector<BucketEntryRef> moving_with(const BucketEntryRef& bucket) const;
  /// Whether the buckets of per-flow rules can have the places that they ask for: the errors of
  /// check_trees(). Together the flows of a rule must not be guaranteed more than a bucket in their
  /// place could be.
  [[nodiscard]] absl::Status check_flow_rules(const RuleSetSpec& rules) const;
  /// These rules are in use: their flows count as children from now on.
  void set_flow_rules(const RuleSetSpec& rules);
  /// REQUIRES: no rule sends packets to it, and it has no children. Its name is free at once.
  Removal remove(const BucketEntryRef& bucket, bool drop_backlog);

 private:
  static std::string_view id_of(std::string_view id) { return id; }
  static std::string_view id_of(const BucketEntry* bucket) { return bucket->id_view(); }
  static std::string_view id_of(const BucketEntryRef& bucket) { return bucket->id_view(); }
  struct IdHash {
    using is_transparent = void;
    template <class Key>
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>{}(id_of(key));
    }
  };
  struct IdEqual {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return id_of(a) == id_of(b);
    }
  };
  struct IdLess {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return id_of(a) < id_of(b);
    }
  };
  struct Planned;
  [[nodiscard]] absl::StatusOr<BucketDefinition> define(const BucketPatch& patch,
                                                        const BucketEntry* present) const;
  [[nodiscard]] absl::StatusOr<std::vector<Planned>> plan(
      std::span<const BucketPatch> patches, std::span<const std::uint64_t> revisions) const;
  absl::Status order(std::vector<Planned>& planned) const;
  void commit(const Planned& planned, BucketRef ref, Applied& applied);

  BucketEntry::Node node_;
  BucketForest forest_;  // Used by changes only.
  mutable SharedMutex names_;
  absl::flat_hash_set<BucketEntryRef, IdHash, IdEqual> buckets_ ABSL_GUARDED_BY(names_);
  absl::btree_set<BucketEntry*, IdLess> in_order_ ABSL_GUARDED_BY(names_);  // The same ones.
  absl::btree_set<BucketEntry*, IdLess> split_ ABSL_GUARDED_BY(names_);
  std::atomic<std::uint64_t> split_changes_{0};
};

/// Thread safe. Reads every bucket: about 100 ns each.
[[nodiscard]] NodeTotals totals_of(const BucketRegistry& buckets);

}  // namespace drip::control
