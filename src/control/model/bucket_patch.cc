// SPDX-License-Identifier: BSD-3-Clause
// Applies a patch to a bucket's settings.
#include "control/model/bucket_patch.h"

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

absl::Status check_rates(const BucketPatch& patch, const BucketSettings& settings) {
  if (settings.units_per_second > 0 || settings.bits_per_second > 0) return absl::OkStatus();
  if (patch.units_per_second) {
    return not_allowed(joined(patch.path, "leak_rate"), "0",
                       "0.000277778 to 1e+09 units a second, or 0 where leak_rate_bps is set");
  }
  if (patch.bits_per_second) {
    return not_allowed(joined(patch.path, "leak_rate_bps"), "0",
                       "1 to 4e+11 bits a second, or 0 where leak_rate is set");
  }
  return missing(joined(patch.path, "leak_rate"),
                 "a new bucket needs leak_rate, 0.000277778 to 1e+09 units a second, or "
                 "leak_rate_bps, 1 to 4e+11 bits a second");
}

// An inner node holds nothing.
absl::Status check_inner(const BucketPatch& patch) {
  if (patch.capacity.value_or(0) != 0) {
    return not_allowed(joined(patch.path, "capacity"), joined(*patch.capacity),
                       "0 or none for an inner node: units wait in leaves only");
  }
  if (patch.capacity_bytes.value_or(0) != 0) {
    return not_allowed(joined(patch.path, "capacity_bytes"), joined(*patch.capacity_bytes),
                       "0 or none for an inner node: units wait in leaves only");
  }
  return absl::OkStatus();
}

absl::Status check_leaf(const BucketPatch& patch, const BucketSettings* present) {
  if (present == nullptr && !patch.capacity) {
    return missing(joined(patch.path, "capacity"),
                   joined("a new bucket needs 1 to ", kMaxCapacity, " units"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BucketSettings> apply_patch(const BucketPatch& patch, const BucketSettings* present,
                                           bool inner) {
  absl::Status status = inner ? check_inner(patch) : check_leaf(patch, present);
  if (!status.ok()) return status;
  BucketSettings settings = present != nullptr ? *present : BucketSettings{};
  settings.capacity = inner ? 0 : patch.capacity.value_or(settings.capacity);
  settings.units_per_second = patch.units_per_second.value_or(settings.units_per_second);
  settings.bits_per_second = patch.bits_per_second.value_or(settings.bits_per_second);
  if (!inner) status = check_rates(patch, settings);
  if (!status.ok()) return status;
  settings.capacity_bytes = patch.capacity_bytes.value_or(settings.capacity_bytes);
  settings.overhead_bytes = patch.overhead_bytes.value_or(settings.overhead_bytes);
  settings.min_frame_bytes = patch.min_frame_bytes.value_or(settings.min_frame_bytes);
  settings.max_catchup = patch.max_catchup.value_or(settings.max_catchup);
  status = apply_queue(patch.queue, joined(patch.path, "queue."), settings.queue);
  if (!status.ok()) return status;
  if (patch.departure) {
    settings.departure = *patch.departure;
  } else if (present == nullptr) {
    const bool for_packets = settings.bits_per_second > 0 || !settings.queue.is_plain();
    settings.departure = for_packets ? Departure::kAtStart : Departure::kAtEnd;
  }
  status = check_queue(settings, patch.path);
  if (!status.ok()) return status;
  return settings;
}

}  // namespace drip::control
