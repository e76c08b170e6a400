// SPDX-License-Identifier: BSD-3-Clause
// Calls of the cluster, and what their answers mean.
#include "control/requests/shared_queues.h"

#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/requests/admission_batch.h"
#include "control/requests/shared_turn.h"

namespace drip::control {
namespace {

// Unlike any other in the cluster.
std::string make_id() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req-{:016x}", random());
}

QueuePage page_of(const SharedQueuePage& shared, TimePoint now) {
  QueuePage page;
  page.next = shared.next;
  for (const SharedQueueEntry& entry : shared.entries) {
    page.requests.push_back({entry.request_id,
                             now + Duration{-entry.since_arrival.ns},
                             {entry.position, entry.wait},
                             entry.sequence});
  }
  return page;
}

}  // namespace

Ticket ticket_of(const SharedTicket& shared) {
  Ticket ticket;
  ticket.admission = {shared.reason, shared.position, shared.wait};
  ticket.admitted = shared.admitted;
  ticket.duplicate = shared.duplicate;
  ticket.has_left = shared.has_left;
  return ticket;
}

bool SharedQueues::decided_here(const BucketEntry& bucket) const {
  return shared_.unreachable(bucket.id_view()) &&
         bucket.sharing().failure_policy == FailurePolicy::kOpen;
}

// Whether the bucket is unreachable is not asked: Redis may have answered to another call since,
// and this one was lost all the same.
bool SharedQueues::falls_back(const BucketEntry& bucket, const absl::Status& status) {
  if (!absl::IsUnavailable(status)) return false;
  // Or it has got a queue of this node meanwhile.
  return bucket.sharing().failure_policy == FailurePolicy::kOpen || !bucket.exact();
}

void SharedQueues::admit(BucketEntry& bucket, const AdmitRequest& request, Done<Ticket> done) {
  if (decided_here(bucket)) return local_.admit(bucket, request, std::move(done));
  std::string id = request.request_id.empty() ? make_id() : std::string(request.request_id);
  std::vector<SharedBuckets::Admission> admissions(1);
  admissions.front().bucket = shared_bucket(bucket);
  admissions.front().request_id = id;
  admissions.front().terms = request.terms;
  admissions.front().done = [this, kept = BucketEntryRef(&bucket), request, id = std::move(id),
                             done = std::move(done)](const absl::StatusOr<SharedTicket>& answer) {
    if (answer.ok()) {
      Ticket ticket = ticket_of(*answer);
      ticket.request_id = id;
      return done(std::move(ticket));
    }
    if (!falls_back(*kept, answer.status())) return done(answer.status());
    AdmitRequest again = request;
    again.request_id = id;
    local_.admit(*kept, again, done);
  };
  shared_.admit(std::move(admissions));
}

void SharedQueues::admit(BucketEntry& bucket, const AdmitRequest& request, AdmissionBatch& batch,
                         std::size_t index) {
  if (decided_here(bucket)) return local_.admit(bucket, request, batch, index);
  batch.add_shared(*this, bucket, request, index);
}

std::shared_ptr<AwaitedTurn> SharedQueues::await(BucketEntry& bucket, const AdmitRequest& request,
                                                 Done<TurnResult> done) {
  if (decided_here(bucket)) return local_.await(bucket, request, std::move(done));
  std::string id = request.request_id.empty() ? make_id() : std::string(request.request_id);
  auto turn = std::make_shared<SharedTurn>(*this, BucketEntryRef(&bucket), std::move(id),
                                           request.wire_bytes, request.terms, std::move(done));
  turn->begin();
  return turn;
}

void SharedQueues::list(BucketEntry& bucket, std::uint64_t first, std::size_t limit,
                        Done<QueuePage> done) {
  if (decided_here(bucket)) return local_.list(bucket, first, limit, std::move(done));
  shared_.list(shared_bucket(bucket), first, limit,
               [this, done = std::move(done)](const absl::StatusOr<SharedQueuePage>& page) {
                 if (!page.ok()) return done(page.status());
                 done(page_of(*page, engine_.now()));
               });
}

void SharedQueues::read(BucketEntry& bucket, Done<BucketState> done) {
  if (!bucket.exact() || decided_here(bucket)) {
    return local_.read(bucket, [this, kept = BucketEntryRef(&bucket),
                                done = std::move(done)](absl::StatusOr<BucketState> state) {
      if (state.ok()) counters_.add(kept, nullptr, state->stats);
      done(std::move(state));
    });
  }
  shared_.read(shared_bucket(bucket),
               [this, kept = BucketEntryRef(&bucket),
                done = std::move(done)](const absl::StatusOr<SharedStats>& stats) {
                 // What this node knows is told while Redis does not answer.
                 if (!stats.ok() && !absl::IsUnavailable(stats.status()))
                   return done(stats.status());
                 std::optional<BucketState> state = kept->state();
                 if (!state) return done(not_found("bucket_id", "bucket", kept->id_view()));
                 counters_.add(kept, stats.ok() ? &stats->stats : nullptr, state->stats);
                 if (stats.ok()) {
                   const TimePoint now = engine_.now();
                   state->stats.last_departure = now + Duration{-stats->since_last_departure.ns};
                   state->stats.departure_time = now + stats->until_departure;
                 }
                 done(*std::move(state));
               });
}

RequestQueues::Remover SharedQueues::remover(const BucketEntry& bucket) {
  if (decided_here(bucket)) return local_.remover(bucket);
  return [this, shared = shared_bucket(bucket)](bool drop_backlog, Removal /*here*/,
                                                Done<Removal> done) {
    shared_.remove(shared, drop_backlog, std::move(done));
  };
}

}  // namespace drip::control
