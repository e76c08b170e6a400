// SPDX-License-Identifier: BSD-3-Clause
// Where a bucket is in a tree of buckets, and how it shares its parent's rate with its siblings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/model/bucket_patch.h"
#include "drip/bucket_settings.h"
#include "drip/tree/node_settings.h"

namespace drip::control {

/// As configured, complete. The default is that of a bucket that is in no tree.
struct BucketPlace {
  /// It holds no units and may have children. Fixed when the bucket is created.
  bool inner = false;
  /// A root with a part on each polling thread. Fixed when the bucket is created.
  bool spread = false;
  std::string parent_id;  ///< Empty: a root, or in no tree.
  /// Whose `parent` is not used.
  NodeSettings share;

  /// Whether it is a node of a tree.
  [[nodiscard]] bool in_tree() const { return inner || !parent_id.empty(); }
  friend bool operator==(const BucketPlace&, const BucketPlace&) = default;
};

/// Returns what the patch makes of `present`; null for a new bucket. INVALID_ARGUMENT if a leaf
/// would become an inner node, or a root be spread, or the other way round. Whether the parent
/// exists and what it allows is for check_trees().
[[nodiscard]] absl::StatusOr<BucketPlace> apply_place(const BucketPatch& patch,
                                                      const BucketPlace* present);
/// Sets every field of `patch` that `place` has.
void complete_place(const BucketPlace& place, BucketPatch& patch);

/// FAILED_PRECONDITION: the bucket holds none of `what` ("packets", "requests").
[[nodiscard]] absl::Status inner_node_error(std::string_view field, std::string_view bucket_id,
                                            std::string_view what);

}  // namespace drip::control
