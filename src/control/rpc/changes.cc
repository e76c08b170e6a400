// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/changes.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/errors.h"
#include "control/convert/convert_page.h"
#include "control/rpc/calls/changed_value.h"

namespace drip::control {
namespace {

using access::AuditRecord;

constexpr std::string_view kBucket = "bucket ";

std::int64_t epoch_ms_of(const AuditRecord& record) {
  return std::chrono::floor<std::chrono::milliseconds>(record.time.time_since_epoch()).count();
}

bool may_see(const access::Caller& caller, const AuditRecord& record) {
  if (caller.prefix.empty()) return true;
  const std::string_view target = record.target;
  return target.starts_with(kBucket) && covers(caller, target.substr(kBucket.size()));
}

class Selection {
 public:
  Selection(const access::Caller& caller, const v1::ListChangesRequest& request)
      : caller_(caller), request_(request), name_(quoted(request.caller())) {}

  bool operator()(const AuditRecord& record) const {
    if (!may_see(caller_, record)) return false;
    if (request_.failed() && record.ok()) return false;
    if (!request_.target().empty() && record.target != request_.target()) return false;
    if (request_.since() != 0 && epoch_ms_of(record) < request_.since()) return false;
    return request_.caller().empty() || record.caller == request_.caller() ||
           record.caller.ends_with(name_);
  }

 private:
  const access::Caller& caller_;
  const v1::ListChangesRequest& request_;
  const std::string name_;  // As it stands in the names of callers.
};

void write(const access::NumberedRecord& numbered, const access::Caller& caller,
           v1::Change& message) {
  const AuditRecord& record = numbered.record;
  message.set_number(numbered.number);
  message.set_time(epoch_ms_of(record));
  message.set_caller(record.caller);
  if (caller.prefix.empty() || record.caller == caller.name) message.set_peer(record.peer);
  message.set_method(record.method);
  message.set_target(record.target);
  if (record.before) write_value(*record.before, record.target, *message.mutable_before());
  if (record.after) write_value(*record.after, record.target, *message.mutable_after());
  message.set_result(record.result);
  message.set_error(record.error);
}

}  // namespace

absl::Status list_changes(const access::RecentChanges& recent, const access::Caller& caller,
                          const v1::ListChangesRequest& request,
                          v1::ListChangesResponse& response) {
  const absl::StatusOr<std::size_t> limit = read_page_size(request.page_size());
  if (!limit.ok()) return limit.status();
  const absl::StatusOr<std::uint64_t> token = read_sequence_token(request.page_token());
  if (!token.ok()) return token.status();
  const Selection selection(caller, request);
  std::uint64_t first = *token;
  if (request.page_token().empty()) {
    first = request.last() == 0 ? 0 : recent.first_of_last(request.last(), selection);
    if (request.after_number() == UINT64_MAX) return absl::OkStatus();
    first = std::max(first, request.after_number() + 1);
  }
  const access::RecentChanges::Page page = recent.find(first, *limit, selection);
  std::optional<std::uint64_t> next = page.next;
  std::size_t bytes = 0;
  for (const access::NumberedRecordRef& record : page.records) {
    if (bytes >= kPageBytes) {
      next = record->number;
      break;
    }
    v1::Change& change = *response.add_changes();
    write(*record, caller, change);
    bytes += change.ByteSizeLong();
  }
  if (next) response.set_next_page_token(sequence_token(*next));
  if (caller.prefix.empty()) response.set_forgotten(recent.forgotten());
  return absl::OkStatus();
}

}  // namespace drip::control
