// SPDX-License-Identifier: BSD-3-Clause
// Each call on the bucket's own queue, while the bucket cannot be deleted.
#include "control/requests/local_queues.h"

#include <atomic>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "control/requests/admission_batch.h"
#include "control/requests/local_turn.h"
#include "drip/virtual_schedule.h"

namespace drip::control {
namespace {

absl::Status deleted(const BucketEntry& bucket) {
  return not_found("bucket_id", "bucket", bucket.id_view());
}

// From now, right after the admission, to the departure if nothing changes.
Duration until_departure(Duration wait, const BucketSettings& settings, std::uint32_t wire_bytes) {
  if (settings.departure == Departure::kAtStart) return wait;
  const ServicePeriods periods =
      ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
  return wait + Duration{static_cast<std::int64_t>(periods.service(wire_bytes).ns)};
}

// Hands a turn's end on when the admission is stored as well.
class StoredTurn {
 public:
  explicit StoredTurn(Done<TurnResult> done) : done_(std::move(done)) {}

  void ended(const absl::StatusOr<TurnResult>& result) {
    result_ = result;
    hand_on();
  }
  void stored() { hand_on(); }

 private:
  void hand_on() {
    if (missing_.fetch_sub(1) == 1) done_(std::move(result_));
  }

  const Done<TurnResult> done_;
  absl::StatusOr<TurnResult> result_;
  std::atomic<int> missing_{2};
};

}  // namespace

LocalQueues::LocalQueues(Engine& engine, std::size_t max_requests, std::size_t max_remembered)
    : engine_(engine), pool_(max_requests, max_remembered), turns_(engine) {}

std::shared_ptr<LocalQueue> LocalQueues::queue_of(BucketEntry& bucket) {
  return bucket.local_queue(
      [&] { return std::make_shared<LocalQueue>(engine_, pool_, bucket.ref()); });
}

absl::StatusOr<LocalQueue::Admitted> LocalQueues::admit_now(BucketEntry& bucket,
                                                            const AdmitRequest& request) {
  const BucketEntry::Use held = bucket.use();
  if (!held) return deleted(bucket);
  return queue_of(bucket)->admit(request.request_id, request.wire_bytes,
                                 bucket.settings().departure, request.terms);
}

absl::StatusOr<Ticket> LocalQueues::ticket_now(BucketEntry& bucket, const AdmitRequest& request) {
  if (request.terms.peek) {
    const BucketEntry::Use held = bucket.use();
    if (!held) return deleted(bucket);
    return queue_of(bucket)->peek(request.request_id, request.wire_bytes,
                                  bucket.settings().departure, request.terms);
  }
  absl::StatusOr<LocalQueue::Admitted> admitted = admit_now(bucket, request);
  if (!admitted.ok()) return admitted.status();
  return std::move(admitted->ticket);
}

bool LocalQueues::waits_for_storage(BucketEntry& bucket, const AdmitRequest& request,
                                    const Ticket& ticket) const {
  if (schedules_ == nullptr || request.terms.peek || ticket.has_left || ticket.admitted == 0) {
    return false;
  }
  return !is_stored(*schedules_, bucket, engine_.now(), ticket.admission.wait, ticket.admitted,
                    request.wire_bytes);
}

void LocalQueues::admit(BucketEntry& bucket, const AdmitRequest& request, Done<Ticket> done) {
  absl::StatusOr<Ticket> ticket = ticket_now(bucket, request);
  if (!ticket.ok() || !waits_for_storage(bucket, request, *ticket)) return done(std::move(ticket));
  schedules_->store({BucketEntryRef(&bucket)},
                    [ticket = *std::move(ticket), done = std::move(done)] { done(ticket); });
}

void LocalQueues::admit(BucketEntry& bucket, const AdmitRequest& request, AdmissionBatch& batch,
                        std::size_t index) {
  if (!batch.hold(bucket)) return batch.fail(index, deleted(bucket));
  batch.store_in(schedules_);
  if (request.request_id.empty()) return batch.add_units(bucket.ref(), request, index);
  std::shared_ptr<LocalQueue> queue = queue_of(bucket);
  std::optional<LocalQueue::Prepared> prepared;
  if (!request.terms.peek) {
    prepared = queue->try_prepare(request.request_id, bucket.settings().departure, request.terms);
  }
  if (!prepared) {
    // Another call is admitting it, or this very batch, or the pool is empty.
    batch.flush();
    const absl::StatusOr<Ticket> ticket = ticket_now(bucket, request);
    if (!ticket.ok()) return batch.fail(index, ticket.status());
    if (waits_for_storage(bucket, request, *ticket)) batch.add_to_store(bucket);
    return batch.answer(index, *ticket);
  }
  if (prepared->known) {
    if (waits_for_storage(bucket, request, *prepared->known)) batch.add_to_store(bucket);
    return batch.answer(index, *prepared->known);
  }
  batch.add_request(bucket.ref(), request, std::move(queue), std::move(prepared->fresh), index);
}

std::shared_ptr<AwaitedTurn> LocalQueues::await(BucketEntry& bucket, const AdmitRequest& request,
                                                Done<TurnResult> done) {
  absl::StatusOr<LocalQueue::Admitted> admitted = admit_now(bucket, request);
  if (!admitted.ok()) {
    done(admitted.status());
    return nullptr;
  }
  Ticket& ticket = admitted->ticket;
  TurnResult result;
  result.request_id = std::move(ticket.request_id);
  result.reason = ticket.admission.reason;
  result.duplicate = ticket.duplicate;
  if (result.reason != RejectReason::kAdmitted || ticket.has_left) {
    result.wait = ticket.admission.wait;
    result.wait_is_estimate = ticket.admission.wait_is_estimate;
    done(std::move(result));
    return nullptr;
  }
  if (waits_for_storage(bucket, request, ticket)) {
    const auto turn = std::make_shared<StoredTurn>(std::move(done));
    done = [turn](const absl::StatusOr<TurnResult>& ended) { turn->ended(ended); };
    schedules_->store({BucketEntryRef(&bucket)}, [turn] { turn->stored(); });
  }
  const TimePoint expected =
      engine_.now() + until_departure(ticket.admission.wait, bucket.settings(), request.wire_bytes);
  std::shared_ptr<LocalQueue> queue = queue_of(bucket);
  auto turn = std::make_shared<LocalTurn>(turns_, queue, admitted->request, std::move(result),
                                          std::move(done));
  if (!turns_.watch(turn, std::move(queue), std::move(admitted->request), expected)) {
    turn->give_up();
  }
  return turn;
}

void LocalQueues::list(BucketEntry& bucket, std::uint64_t first, std::size_t limit,
                       Done<QueuePage> done) {
  const BucketEntry::Use held = bucket.use();
  if (!held) return done(deleted(bucket));
  done(queue_of(bucket)->list(first, limit, bucket.settings().departure));
}

void LocalQueues::read(BucketEntry& bucket, Done<BucketState> done) {
  std::optional<BucketState> state = bucket.state();
  if (!state) return done(deleted(bucket));
  done(*std::move(state));
}

RequestQueues::Remover LocalQueues::remover(const BucketEntry& /*bucket*/) {
  return [](bool /*drop_backlog*/, Removal here, const Done<Removal>& done) { done(here); };
}

}  // namespace drip::control
