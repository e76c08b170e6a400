// SPDX-License-Identifier: BSD-3-Clause
// What a caller may do that is kept to buckets with a prefix.
#pragma once

#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "access/caller.h"
#include "control/config/bucket_listing.h"
#include "control/config/bucket_registry.h"
#include "control/model/bucket_patch.h"

namespace drip::control {

/// Keeps the filter to the caller's buckets. PERMISSION_DENIED if it asks for others by name.
[[nodiscard]] absl::Status keep_to_own(const access::Caller& caller, BucketFilter& filter);

/// PERMISSION_DENIED unless each patch is of the caller's bucket and leaves alone what others share
/// with it: a bucket below one that is not the caller's can neither be moved nor change what it
/// gets beside its siblings (guarantee, weight, priority), and none can be put there. On the thread
/// of changes.
[[nodiscard]] absl::Status check_own_changes(const access::Caller& caller,
                                             const BucketRegistry& buckets,
                                             std::span<const BucketPatch> patches);

/// PERMISSION_DENIED unless the caller may delete the bucket, with `recursive` all that is below
/// it. One below a bucket that is not the caller's stays: else it could be made again outside of
/// its tree. On the thread of changes.
[[nodiscard]] absl::Status check_own_deletion(const access::Caller& caller,
                                              const BucketRegistry& buckets,
                                              std::string_view bucket_id, bool recursive);

/// How many buckets the node has, as far as the caller is to know.
[[nodiscard]] std::size_t count_own(const access::Caller& caller, const BucketRegistry& buckets);

}  // namespace drip::control
