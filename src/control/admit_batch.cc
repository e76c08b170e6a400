// SPDX-License-Identifier: BSD-3-Clause
// Looks each entry's bucket up, and hands all units to the engine at once.
#include "control/admit_batch.h"

#include <optional>
#include <utility>

#include "control/convert_bucket.h"
#include "control/refusal.h"
#include "control/text.h"

namespace drip::control {
namespace {

void write_ticket(const Ticket& ticket, v1::AllowRequestsResult& result) {
  result.set_reason(reject_reason(ticket.admission.reason));
  if (ticket.admission.reason != RejectReason::kAdmitted) return;
  result.set_admitted(1);
  result.set_queue_position(ticket.admission.position);
  result.set_estimated_wait_ns(ticket.admission.wait.ns);
  result.set_duplicate(ticket.duplicate);
}

absl::Status check_count(const v1::AllowRequestsEntry& entry) {
  if (!entry.request_id().empty() && entry.count() > 1) {
    return not_allowed("count", joined(entry.count()), "0 or 1 with a request_id");
  }
  return check_range("count", std::uint64_t{entry.count()}, std::uint64_t{0},
                     std::uint64_t{kMaxEntryUnits}, " units (0: one)");
}

}  // namespace

absl::Status AdmitBatch::run(const v1::AllowRequestsRequest& message,
                             v1::AllowRequestsResponse& response) {
  response.Clear();
  const int count = message.entries_size();
  if (count < 1 || count > kMaxBatchEntries) {
    return not_allowed("entries", joined(count),
                       joined("1 to ", kMaxBatchEntries, " in a message"));
  }
  bucket_id_.clear();
  bucket_status_ = missing("bucket_id", "the first entry of a message names its bucket");
  for (int i = 0; i < count; ++i) {
    Result& result = *response.add_results();
    const absl::Status status = add(message.entries(i), result);
    if (status.ok()) continue;
    result.set_code(static_cast<int>(status.code()));
    result.set_error(joined("entries[", i, "].", std::string(status.message())));
  }
  flush();
  return absl::OkStatus();
}

absl::Status AdmitBatch::turn_to(const std::string& bucket_id) {
  bucket_id_ = bucket_id;
  const absl::StatusOr<KnownBucketRef> bucket = context_.buckets.get("bucket_id", bucket_id);
  if (!bucket.ok()) return bucket.status();
  if ((*bucket)->exact()) {
    return absl::FailedPreconditionError(
        joined("bucket_id: ", quoted(bucket_id),
               " is decided by the whole cluster, one request at a time: use AllowRequest"));
  }
  KnownBucket::Use use = (*bucket)->use();
  if (!use) return not_found("bucket_id", "bucket", bucket_id);
  settings_ = (*bucket)->settings();
  held_.push_back({*bucket, std::move(use)});
  return absl::OkStatus();
}

absl::Status AdmitBatch::add(const Entry& entry, Result& result) {
  if (!entry.bucket_id().empty() && entry.bucket_id() != bucket_id_) {
    bucket_status_ = turn_to(entry.bucket_id());
  }
  if (!bucket_status_.ok()) return bucket_status_;
  if (absl::Status status = check_count(entry); !status.ok()) return status;
  const std::optional<std::uint32_t> bytes =
      entry.has_bytes() ? std::optional(entry.bytes()) : std::nullopt;
  const absl::StatusOr<std::uint32_t> wire_bytes = read_wire_bytes(bytes, settings_, bucket_id_);
  if (!wire_bytes.ok()) return wire_bytes.status();
  if (!entry.request_id().empty()) return add_named(entry, *wire_bytes, result);
  UnitsToAdmit units;
  units.bucket = held_.back().bucket->ref();
  units.count = entry.count() == 0 ? 1 : entry.count();
  units.wire_bytes = *wire_bytes;
  units.all_or_none = entry.all_or_none();
  units_.push_back(units);
  waiting_.push_back({&result, nullptr, {}});
  return absl::OkStatus();
}

absl::Status AdmitBatch::add_named(const Entry& entry, std::uint32_t wire_bytes, Result& result) {
  absl::Status name = check_request_id("request_id", entry.request_id());
  if (!name.ok()) return name;
  std::shared_ptr<RequestQueue> queue = held_.back().bucket->requests();
  std::optional<RequestRegistry::Begun> begun =
      context_.requests.begin(*queue, entry.request_id(), settings_.departure);
  if (!begun) {
    // Another call is admitting it, or this very message, or there is no room for its record.
    flush();
    const absl::Status again = turn_to(bucket_id_);
    if (!again.ok()) return again;
    const absl::StatusOr<Ticket> ticket =
        context_.requests.admit(*queue, entry.request_id(), wire_bytes, settings_.departure);
    if (ticket.ok()) write_ticket(*ticket, result);
    return ticket.status();
  }
  if (begun->known) {
    write_ticket(*begun->known, result);
    return absl::OkStatus();
  }
  UnitsToAdmit units;
  units.bucket = held_.back().bucket->ref();
  units.record = &begun->request->record;
  units.wire_bytes = wire_bytes;
  units_.push_back(units);
  waiting_.push_back({&result, std::move(queue), std::move(begun->request)});
  return absl::OkStatus();
}

void AdmitBatch::flush() {
  if (!units_.empty()) context_.engine.admit_many(units_);
  for (std::size_t i = 0; i < units_.size(); ++i) {
    const UnitsToAdmit& units = units_[i];
    Waiting& waiting = waiting_[i];
    waiting.result->set_admitted(units.admitted);
    waiting.result->set_queue_position(units.admission.position);
    waiting.result->set_estimated_wait_ns(units.admission.wait.ns);
    waiting.result->set_reason(reject_reason(units.admission.reason));
    if (waiting.request) waiting.queue->settle(std::move(waiting.request), units.admission);
  }
  units_.clear();
  waiting_.clear();
  held_.clear();
}

}  // namespace drip::control
