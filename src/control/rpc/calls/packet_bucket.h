// SPDX-License-Identifier: BSD-3-Clause
// The bucket that a call about packets names.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/model/bucket_place.h"

namespace drip::control {

/// A bucket that can hold packets, whatever its queue is. NOT_FOUND and INVALID_ARGUMENT as
/// BucketRegistry::get(); FAILED_PRECONDITION for an inner node of a tree.
[[nodiscard]] inline absl::StatusOr<BucketEntryRef> get_packet_bucket(const BucketRegistry& buckets,
                                                                      std::string_view field,
                                                                      std::string_view id) {
  absl::StatusOr<BucketEntryRef> bucket = buckets.get(field, id);
  if (bucket.ok() && (*bucket)->inner()) return inner_node_error(field, id, "packets");
  return bucket;
}

}  // namespace drip::control
