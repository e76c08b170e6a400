// SPDX-License-Identifier: BSD-3-Clause
// Admits a request that came by RPC.
#include "control/rpc/admit_request.h"

#include <utility>

#include "base/errors.h"
#include "control/convert/convert_bucket.h"
#include "drip/virtual_schedule.h"

namespace drip::control {
TimePoint AdmittedRequest::departure(const Engine& engine) const {
  TimePoint time = engine.now() + ticket.admission.wait;
  if (settings.departure == Departure::kAtEnd) {
    const ServicePeriods periods =
        ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
    time = time + Duration{static_cast<std::int64_t>(periods.service(wire_bytes).ns)};
  }
  return time;
}

absl::StatusOr<AdmittedRequest> admit_request(const ServicesContext& context,
                                              const std::string& bucket_id,
                                              const std::string& request_id,
                                              std::optional<std::uint32_t> bytes) {
  if (absl::Status status = check_request_id("request_id", request_id); !status.ok()) return status;
  const absl::StatusOr<BucketEntryRef> bucket = context.buckets.get("bucket_id", bucket_id);
  if (!bucket.ok()) return bucket.status();
  absl::StatusOr<AdmittedRequest> result;
  const auto admit = [&](const BucketSettings& settings) {
    const absl::StatusOr<std::uint32_t> wire_bytes = read_wire_bytes(bytes, settings, bucket_id);
    if (!wire_bytes.ok()) {
      result = wire_bytes.status();
      return;
    }
    std::shared_ptr<RequestQueue> queue = (*bucket)->requests();
    absl::StatusOr<Ticket> ticket =
        context.requests.admit(*queue, request_id, *wire_bytes, settings.departure);
    if (!ticket.ok()) {
      result = ticket.status();
      return;
    }
    result = AdmittedRequest{*std::move(ticket), std::move(queue), settings, *wire_bytes};
  };
  if (!(*bucket)->while_it_exists(admit)) return not_found("bucket_id", "bucket", bucket_id);
  return result;
}

}  // namespace drip::control
