// SPDX-License-Identifier: BSD-3-Clause
// A message about one request, checked and with its bucket found.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "access/caller.h"
#include "base/errors.h"
#include "control/config/bucket_entry.h"
#include "control/convert/convert_bucket.h"
#include "control/model/request_queues.h"
#include "control/rpc/calls/services_context.h"

namespace drip::control {

/// A request that is valid for a bucket that exists. Its id is the message's.
struct Admissible {
  BucketEntryRef bucket;
  AdmitRequest request;
};

/// Of AllowRequestRequest, AwaitTurnRequest or AwaitTurnsEntry.
template <class Message>
[[nodiscard]] absl::StatusOr<Admissible> read_request(const ServicesContext& context,
                                                      const access::Caller& caller,
                                                      const Message& message,
                                                      const std::string& bucket_id) {
  if (absl::Status own = check_covers(caller, "bucket_id", bucket_id); !own.ok()) return own;
  if (absl::Status status = check_request_id("request_id", message.request_id()); !status.ok()) {
    return status;
  }
  absl::StatusOr<BucketEntryRef> bucket = context.buckets.get_leaf("bucket_id", bucket_id);
  if (!bucket.ok()) return bucket.status();
  const std::optional<std::uint32_t> bytes =
      message.has_bytes() ? std::optional(message.bytes()) : std::nullopt;
  const absl::StatusOr<std::uint32_t> wire_bytes =
      read_wire_bytes(bytes, (*bucket)->settings(), bucket_id);
  if (!wire_bytes.ok()) return wire_bytes.status();
  const absl::StatusOr<AdmitTerms> terms = terms_of(message);
  if (!terms.ok()) return terms.status();
  return Admissible{
      *std::move(bucket),
      {.request_id = message.request_id(), .wire_bytes = *wire_bytes, .terms = *terms}};
}

}  // namespace drip::control
