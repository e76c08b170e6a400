// SPDX-License-Identifier: BSD-3-Clause
// Buckets between protobuf and Drip's own types, with all validation of single fields.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/model/bucket_patch.h"
#include "control/model/bucket_state.h"
#include "control/model/epoch_clock.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// INVALID_ARGUMENT naming field, value and range. `path` is where the message stands in the
/// request: empty, or with a dot at its end.
[[nodiscard]] absl::StatusOr<BucketPatch> read_patch(const v1::BucketConfig& config,
                                                     std::string_view path);
/// The same, but `bucket_id` must be empty: for the buckets that a per-flow rule makes.
[[nodiscard]] absl::StatusOr<BucketPatch> read_template(const v1::BucketConfig& config,
                                                        std::string_view path);
/// The same fields in one message; presence is kept.
[[nodiscard]] v1::BucketConfig config_of(const v1::ConfigureBucketRequest& request);

/// `bytes` of a request, which a bucket with a rate in bits needs: 1 to 65535. 0 if absent.
[[nodiscard]] absl::StatusOr<std::uint32_t> read_wire_bytes(std::optional<std::uint32_t> bytes,
                                                            const BucketSettings& bucket,
                                                            std::string_view bucket_id);

/// All fields set; `bucket_id` is the caller's to set.
void write_config(const BucketSettings& settings, v1::BucketConfig& config);
/// Of a bucket of scope NODE the scope alone.
void write_sharing(const BucketSharing& sharing, v1::BucketConfig& config);
void write_share(const ShareState& share, const EpochClock& clock, v1::Bucket& bucket);
void write_bucket(const BucketState& state, const EpochClock& clock, v1::Bucket& bucket);
void write_histogram(const HistogramCounts& counts, v1::Histogram& histogram);
[[nodiscard]] v1::RejectReason reject_reason(RejectReason reason);

}  // namespace drip::control
