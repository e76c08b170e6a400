// SPDX-License-Identifier: BSD-3-Clause
// Looks each entry's bucket up, adds the entry to the batch, and writes the answers.
#include "control/rpc/streams/admit_message.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket.h"

namespace drip::control {
namespace {

absl::Status check_count(const v1::AllowRequestsEntry& entry) {
  if (!entry.request_id().empty() && entry.count() > 1) {
    return not_allowed("count", joined(entry.count()), "0 or 1 with a request_id");
  }
  return check_range("count", std::uint64_t{entry.count()}, std::uint64_t{0},
                     std::uint64_t{kMaxEntryUnits}, " units (0: one)");
}

}  // namespace

absl::Status AdmitMessage::run(const v1::AllowRequestsRequest& message,
                               v1::AllowRequestsResponse& response, std::function<void()> done) {
  response.Clear();
  const int count = message.entries_size();
  if (count < 1 || count > kMaxBatchEntries) {
    return not_allowed("entries", joined(count),
                       joined("1 to ", kMaxBatchEntries, " in a message"));
  }
  response_ = &response;
  bucket_id_.clear();
  bucket_status_ = missing("bucket_id", "the first entry of a message names its bucket");
  // All of them first: Redis's answers come on another thread.
  for (int i = 0; i < count; ++i) response.add_results();
  for (int i = 0; i < count; ++i) {
    const auto index = static_cast<std::size_t>(i);
    if (const absl::Status status = add(message.entries(i), index); !status.ok()) {
      failed(index, status);
    }
  }
  bucket_ = nullptr;
  batch_.run(std::move(done));
  return absl::OkStatus();
}

absl::Status AdmitMessage::select_bucket(const std::string& bucket_id) {
  bucket_id_ = bucket_id;
  if (absl::Status own = check_covers(*caller_, "bucket_id", bucket_id); !own.ok()) return own;
  absl::StatusOr<BucketEntryRef> bucket = context_.buckets.get_leaf("bucket_id", bucket_id);
  if (!bucket.ok()) return bucket.status();
  bucket_ = *std::move(bucket);
  settings_ = bucket_->settings();
  return absl::OkStatus();
}

absl::Status AdmitMessage::add(const v1::AllowRequestsEntry& entry, std::size_t index) {
  if (!entry.bucket_id().empty() && entry.bucket_id() != bucket_id_) {
    bucket_status_ = select_bucket(entry.bucket_id());
  }
  if (!bucket_status_.ok()) return bucket_status_;
  if (absl::Status status = check_count(entry); !status.ok()) return status;
  const std::optional<std::uint32_t> bytes =
      entry.has_bytes() ? std::optional(entry.bytes()) : std::nullopt;
  const absl::StatusOr<std::uint32_t> wire_bytes = read_wire_bytes(bytes, settings_, bucket_id_);
  if (!wire_bytes.ok()) return wire_bytes.status();
  absl::Status name = check_request_id("request_id", entry.request_id());
  if (!name.ok()) return name;
  absl::StatusOr<AdmitTerms> terms = terms_of(entry);
  if (!terms.ok()) return terms.status();
  if (entry.remember_ns() > 0 && entry.request_id().empty()) {
    return not_allowed("remember_ns", joined(entry.remember_ns()), "0 without a request_id");
  }
  terms->peek = entry.peek();
  bucket_->queues().admit(*bucket_,
                          {.request_id = entry.request_id(),
                           .wire_bytes = *wire_bytes,
                           .count = std::max(entry.count(), 1U),
                           .all_or_none = entry.all_or_none(),
                           .terms = *terms},
                          batch_, index);
  return absl::OkStatus();
}

void AdmitMessage::answered(std::size_t index, const Ticket& ticket) {
  v1::AllowRequestsResult& result = *response_->mutable_results(static_cast<int>(index));
  result.set_admitted(ticket.admitted);
  result.set_reason(reject_reason(ticket.admission.reason));
  result.set_queue_position(ticket.admission.position);
  result.set_estimated_wait_ns(ticket.admission.wait.ns);
  result.set_wait_is_estimate(ticket.admission.wait_is_estimate);
  result.set_duplicate(ticket.duplicate);
}

void AdmitMessage::failed(std::size_t index, const absl::Status& status) {
  v1::AllowRequestsResult& result = *response_->mutable_results(static_cast<int>(index));
  result.set_code(static_cast<int>(status.code()));
  result.set_error(joined("entries[", index, "].", std::string(status.message())));
}

}  // namespace drip::control
