// SPDX-License-Identifier: BSD-3-Clause
// Converts the state of buckets to Protobuf, and checks the size of a request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/model/bucket_state.h"
#include "control/model/epoch_clock.h"
#include "control/model/request_queues.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// Checks the field `bytes` of a request, 1 to 65535, which a request to a bucket with a rate in
/// bits must have. Returns 0 if it is absent.
[[nodiscard]] absl::StatusOr<std::uint32_t> read_wire_bytes(std::optional<std::uint32_t> bytes,
                                                            const BucketSettings& bucket,
                                                            std::string_view bucket_id);

inline constexpr std::uint64_t kMaxRememberNs = 86'400'000'000'000;  // A day.

/// Checks `remember_ns`. The other terms are those of a call that has no more.
[[nodiscard]] absl::StatusOr<AdmitTerms> read_terms(std::optional<std::uint64_t> max_wait_ns,
                                                    std::uint64_t remember_ns);
/// Of AllowRequestRequest, AllowRequestsEntry or AwaitTurnRequest.
template <class Message>
[[nodiscard]] absl::StatusOr<AdmitTerms> terms_of(const Message& message) {
  return read_terms(message.has_max_wait_ns() ? std::optional(message.max_wait_ns()) : std::nullopt,
                    message.remember_ns());
}

/// Sets the fields that a bucket of scope CLUSTER has.
void write_share(const ShareState& share, const EpochClock& clock, v1::Bucket& bucket);
void write_bucket(const BucketState& state, const EpochClock& clock, v1::Bucket& bucket);
void write_histogram(const HistogramCounts& counts, v1::Histogram& histogram);
[[nodiscard]] v1::RejectReason reject_reason(RejectReason reason);

}  // namespace drip::control
