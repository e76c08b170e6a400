// SPDX-License-Identifier: BSD-3-Clause
// Converts BucketConfig between Protobuf and the model, and checks the range of every field.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "control/model/bucket_patch.h"
#include "control/model/bucket_place.h"
#include "control/model/bucket_sharing.h"
#include "drip/bucket_settings.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// Returns the fields that `config` has. INVALID_ARGUMENT, naming field, value and range, if one is
/// out of range. `path` is the path of the message in the request for the text of errors: empty, or
/// with a dot at its end.
[[nodiscard]] absl::StatusOr<BucketPatch> read_patch(const v1::BucketConfig& config,
                                                     std::string_view path);
/// The same for the buckets of a per-flow rule, which have neither `bucket_id` nor a scope.
[[nodiscard]] absl::StatusOr<BucketPatch> read_template(const v1::BucketConfig& config,
                                                        std::string_view path);
/// The request's fields as a BucketConfig. Absent fields stay absent.
[[nodiscard]] v1::BucketConfig config_of(const v1::ConfigureBucketRequest& request);

/// Sets every field of `settings`, but not `bucket_id`.
void write_config(const BucketSettings& settings, v1::BucketConfig& config);
/// Sets the fields on trees; none for a bucket with the default place.
void write_place(const BucketPlace& place, v1::BucketConfig& config);
/// Sets the fields on sharing; for a bucket of scope NODE only the scope.
void write_sharing(const BucketSharing& sharing, v1::BucketConfig& config);

}  // namespace drip::control
