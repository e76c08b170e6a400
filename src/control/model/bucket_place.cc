// SPDX-License-Identifier: BSD-3-Clause
// Applies a patch to a bucket's place in a tree.
#include "control/model/bucket_place.h"

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {

absl::StatusOr<BucketPlace> apply_place(const BucketPatch& patch, const BucketPlace* present) {
  BucketPlace place = present != nullptr ? *present : BucketPlace{};
  if (patch.inner) {
    if (present != nullptr && *patch.inner != present->inner) {
      return not_allowed(joined(patch.path, "inner"), *patch.inner ? "true" : "false",
                         joined(present->inner ? "true" : "false", ", as ", quoted(patch.id),
                                " was created: units wait in leaves only"));
    }
    place.inner = *patch.inner;
  }
  if (patch.spread) {
    if (present != nullptr && *patch.spread != present->spread) {
      return not_allowed(joined(patch.path, "spread"), *patch.spread ? "true" : "false",
                         joined(present->spread ? "true" : "false", ", as ", quoted(patch.id),
                                " was created; delete it and create it anew"));
    }
    place.spread = *patch.spread;
  }
  if (patch.parent_id) place.parent_id = *patch.parent_id;
  place.share.guaranteed_units_per_second =
      patch.guaranteed_units_per_second.value_or(place.share.guaranteed_units_per_second);
  place.share.guaranteed_bits_per_second =
      patch.guaranteed_bits_per_second.value_or(place.share.guaranteed_bits_per_second);
  place.share.weight = patch.weight.value_or(place.share.weight);
  place.share.priority = patch.priority.value_or(place.share.priority);
  place.share.tolerance = patch.tolerance.value_or(place.share.tolerance);
  return place;
}

void complete_place(const BucketPlace& place, BucketPatch& patch) {
  patch.inner = place.inner;
  patch.spread = place.spread;
  patch.parent_id = place.parent_id;
  patch.guaranteed_units_per_second = place.share.guaranteed_units_per_second;
  patch.guaranteed_bits_per_second = place.share.guaranteed_bits_per_second;
  patch.weight = place.share.weight;
  patch.priority = place.share.priority;
  patch.tolerance = place.share.tolerance;
}

absl::Status inner_node_error(std::string_view field, std::string_view bucket_id,
                              std::string_view what) {
  return absl::FailedPreconditionError(joined(field, ": ", quoted(bucket_id),
                                              " is an inner node of a tree, which holds no ", what,
                                              "; name one of its leaves"));
}

}  // namespace drip::control
