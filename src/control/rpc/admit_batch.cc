// SPDX-License-Identifier: BSD-3-Clause
// Looks each entry's bucket up, and hands all units to the engine at once.
#include "control/rpc/admit_batch.h"

#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket.h"
#include "control/rpc/exact_requests.h"

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
                             v1::AllowRequestsResponse& response, std::function<void()> done) {
  response.Clear();
  const int count = message.entries_size();
  if (count < 1 || count > kMaxBatchEntries) {
    return not_allowed("entries", joined(count),
                       joined("1 to ", kMaxBatchEntries, " in a message"));
  }
  message_ = &message;
  response_ = &response;
  bucket_id_.clear();
  bucket_status_ = missing("bucket_id", "the first entry of a message names its bucket");
  for (int i = 0; i < count; ++i) {
    response.add_results();
    add(i, Decides::kCluster);
  }
  flush();
  if (admissions_.empty()) {
    done();
    return absl::OkStatus();
  }
  done_ = std::move(done);
  left_to_us_.assign(static_cast<std::size_t>(count), 0);
  unanswered_.store(admissions_.size());
  // The last answer ends this run, and the next one may have begun when this returns.
  context_.cluster.shared_buckets()->admit(std::exchange(admissions_, {}));
  return absl::OkStatus();
}

void AdmitBatch::add(int index, Decides exact_by) {
  Result& result = *response_->mutable_results(index);
  const absl::Status status = add(message_->entries(index), result, index, exact_by);
  if (status.ok()) return;
  result.set_code(static_cast<int>(status.code()));
  result.set_error(joined("entries[", index, "].", std::string(status.message())));
}

absl::Status AdmitBatch::turn_to(const std::string& bucket_id, Decides exact_by) {
  bucket_id_ = bucket_id;
  exact_.reset();
  const absl::StatusOr<BucketEntryRef> bucket = context_.buckets.get("bucket_id", bucket_id);
  if (!bucket.ok()) return bucket.status();
  settings_ = (*bucket)->settings();
  if (exact_by == Decides::kCluster && exact_bucket(context_, bucket_id) != nullptr) {
    exact_ = shared_bucket(**bucket);
    return absl::OkStatus();
  }
  BucketEntry::Use use = (*bucket)->use();
  if (!use) return not_found("bucket_id", "bucket", bucket_id);
  held_.push_back({*bucket, std::move(use)});
  return absl::OkStatus();
}

absl::Status AdmitBatch::add(const Entry& entry, Result& result, int index, Decides exact_by) {
  if (!entry.bucket_id().empty() && entry.bucket_id() != bucket_id_) {
    bucket_status_ = turn_to(entry.bucket_id(), exact_by);
  }
  if (!bucket_status_.ok()) return bucket_status_;
  if (absl::Status status = check_count(entry); !status.ok()) return status;
  const std::optional<std::uint32_t> bytes =
      entry.has_bytes() ? std::optional(entry.bytes()) : std::nullopt;
  const absl::StatusOr<std::uint32_t> wire_bytes = read_wire_bytes(bytes, settings_, bucket_id_);
  if (!wire_bytes.ok()) return wire_bytes.status();
  if (exact_) return add_exact(entry, index);
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
    const absl::Status again = turn_to(bucket_id_, Decides::kNode);
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

absl::Status AdmitBatch::add_exact(const Entry& entry, int index) {
  absl::Status name = check_request_id("request_id", entry.request_id());
  if (!name.ok()) return name;
  SharedBuckets::Admission& admission = admissions_.emplace_back();
  admission.bucket = *exact_;
  admission.request_id = entry.request_id();
  admission.count = entry.count() == 0 ? 1 : entry.count();
  admission.all_or_none = entry.all_or_none();
  admission.done = [this, index](const absl::StatusOr<SharedTicket>& ticket) {
    write_exact(index, ticket);
    one_answered();
  };
  return absl::OkStatus();
}

void AdmitBatch::write_exact(int index, const absl::StatusOr<SharedTicket>& ticket) {
  Result& result = *response_->mutable_results(index);
  if (ticket.ok()) {
    result.set_admitted(ticket->admitted);
    result.set_reason(reject_reason(ticket->reason));
    result.set_queue_position(ticket->position);
    result.set_estimated_wait_ns(ticket->wait.ns);
    result.set_duplicate(ticket->duplicate);
    return;
  }
  result.set_code(static_cast<int>(ticket.status().code()));
  result.set_error(joined("entries[", index, "].", std::string(ticket.status().message())));
  left_to_us_[static_cast<std::size_t>(index)] = absl::IsUnavailable(ticket.status()) ? 1 : 0;
}

void AdmitBatch::one_answered() {
  if (unanswered_.fetch_sub(1) != 1) return;
  for (int i = 0; i < message_->entries_size(); ++i) {
    if (left_to_us_[static_cast<std::size_t>(i)] == 0) continue;
    const std::string& id = bucket_of(i);
    Result& result = *response_->mutable_results(i);
    if (!is_ours_now(context_, id, absl::UnavailableError(""))) continue;
    result.Clear();
    bucket_status_ = turn_to(id, Decides::kNode);
    add(i, Decides::kNode);
  }
  flush();
  const auto done = std::exchange(done_, nullptr);
  done();
}

// That an entry names, or the last one before it.
const std::string& AdmitBatch::bucket_of(int index) const {
  while (message_->entries(index).bucket_id().empty()) --index;
  return message_->entries(index).bucket_id();
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
