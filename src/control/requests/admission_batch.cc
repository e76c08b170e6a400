// SPDX-License-Identifier: BSD-3-Clause
// This node's entries first, then those in Redis, then what the failure policies leave to the node.
#include "control/requests/admission_batch.h"

#include <utility>

#include "control/requests/shared_queues.h"

namespace drip::control {

bool AdmissionBatch::hold(BucketEntry& bucket) {
  if (!held_.empty() && held_.back().bucket.get() == &bucket) return true;
  BucketEntry::Use use = bucket.use();
  if (!use) return false;
  held_.push_back({BucketEntryRef(&bucket), std::move(use)});
  return true;
}

void AdmissionBatch::add_units(BucketRef bucket, const AdmitRequest& request, std::size_t index) {
  UnitsToAdmit& units = units_.emplace_back();
  units.bucket = bucket;
  units.count = request.count;
  units.wire_bytes = request.wire_bytes;
  units.all_or_none = request.all_or_none;
  units.peek = request.terms.peek;
  units.limits = request.terms.limits;
  pending_.push_back({index, held_.back().bucket.get(), nullptr, {}});
}

void AdmissionBatch::add_request(BucketRef bucket, const AdmitRequest& request,
                                 std::shared_ptr<LocalQueue> queue, RequestHandle fresh,
                                 std::size_t index) {
  UnitsToAdmit& units = units_.emplace_back();
  units.bucket = bucket;
  units.record = &fresh->record;
  units.limits = request.terms.limits;
  units.wire_bytes = request.wire_bytes;
  pending_.push_back({index, held_.back().bucket.get(), std::move(queue), std::move(fresh)});
}

void AdmissionBatch::add_shared(SharedQueues& queues, BucketEntry& bucket,
                                const AdmitRequest& request, std::size_t index) {
  shared_queues_ = &queues;
  SharedBuckets::Admission& admission = admissions_.emplace_back();
  admission.bucket = shared_bucket(bucket);
  admission.request_id = request.request_id;
  admission.count = request.count;
  admission.all_or_none = request.all_or_none;
  admission.terms = request.terms;
  admission.done = [this, entry = shared_.size()](const absl::StatusOr<SharedTicket>& ticket) {
    shared_answered(entry, ticket);
  };
  shared_.push_back({BucketEntryRef(&bucket), request, index, absl::OkStatus()});
}

void AdmissionBatch::run(std::function<void()> done) {
  flush();
  if (shared_.empty()) return end_run(std::move(done));
  done_ = std::move(done);
  unanswered_.store(shared_.size());
  // The last answer ends this run, and the next one may have begun when this returns.
  shared_queues_->shared().admit(std::exchange(admissions_, {}));
}

void AdmissionBatch::add_to_store(BucketEntry& bucket) {
  if (to_store_.empty() || to_store_.back().get() != &bucket) to_store_.emplace_back(&bucket);
}

void AdmissionBatch::end_run(std::function<void()> done) {
  if (to_store_.empty()) return done();
  schedules_->store(std::exchange(to_store_, {}), std::move(done));
}

void AdmissionBatch::flush() {
  if (!units_.empty()) engine_.admit_many(units_);
  for (std::size_t i = 0; i < units_.size(); ++i) {
    Pending& pending = pending_[i];
    const UnitsToAdmit& units = units_[i];
    if (schedules_ != nullptr && units.admitted > 0 && !units.peek &&
        !is_stored(*schedules_, *pending.bucket, engine_.now(), units.admission.wait,
                   units.admitted, units.wire_bytes)) {
      add_to_store(*pending.bucket);
    }
    if (pending.request) {
      pending.queue->complete(std::move(pending.request), units_[i].admission);
    }
    Ticket ticket;
    ticket.admission = units_[i].admission;
    ticket.admitted = units_[i].admitted;
    results_.answered(pending.index, ticket);
  }
  units_.clear();
  pending_.clear();
  held_.clear();
}

void AdmissionBatch::shared_answered(std::size_t entry,
                                     const absl::StatusOr<SharedTicket>& ticket) {
  SharedEntry& shared = shared_[entry];
  if (ticket.ok()) {
    results_.answered(shared.index, ticket_of(*ticket));
  } else if (absl::IsUnavailable(ticket.status())) {
    shared.status = ticket.status();
  } else {
    results_.failed(shared.index, ticket.status());
  }
  if (unanswered_.fetch_sub(1) == 1) finish();
}

void AdmissionBatch::finish() {
  for (const SharedEntry& shared : shared_) {
    if (shared.status.ok()) continue;
    if (SharedQueues::falls_back(*shared.bucket, shared.status)) {
      shared_queues_->local().admit(*shared.bucket, shared.request, *this, shared.index);
    } else {
      results_.failed(shared.index, shared.status);
    }
  }
  flush();
  shared_.clear();
  end_run(std::exchange(done_, nullptr));
}

}  // namespace drip::control
