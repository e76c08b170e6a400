// SPDX-License-Identifier: BSD-3-Clause
// Calls of RateLimiterService on exact buckets.
#include "control/rpc/exact_requests.h"

#include <functional>
#include <future>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket.h"
#include "control/convert/convert_page.h"
#include "control/model/epoch_clock.h"
#include "control/rpc/rpc_status.h"
#include "control/rpc/unary_call.h"

namespace drip::control {
namespace {

// Long enough for the link to have given up by itself.
constexpr std::chrono::milliseconds kGrace{500};
template <class Result>
absl::StatusOr<Result> wait_for(Duration patience,
                                const std::function<void(SharedBuckets::Done<Result>)>& ask) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<Result>>>();
  std::future<absl::StatusOr<Result>> future = promise->get_future();
  ask([promise](absl::StatusOr<Result> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(std::chrono::nanoseconds(patience.ns) + kGrace) !=
      std::future_status::ready) {
    return absl::UnavailableError("the bucket's queue is in Redis, which does not answer");
  }
  return future.get();
}

}  // namespace

BucketEntryRef exact_bucket(const ServicesContext& context, const std::string& id) {
  const SharedBuckets* const shared = context.cluster.shared_buckets();
  BucketEntryRef bucket = shared == nullptr ? nullptr : context.buckets.find(id);
  if (bucket == nullptr || !bucket->sharing().exact()) return nullptr;
  // Where Redis does not answer an open bucket is the node's own.
  if (shared->away(id) && bucket->sharing().failure_policy == FailurePolicy::kOpen) return nullptr;
  return bucket;
}

std::string id_or_made_up(const std::string& id) {
  if (!id.empty()) return id;
  thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req-{:016x}", random());
}

SharedBuckets::Bucket shared_bucket(const BucketEntry& bucket) {
  return {bucket.id(), bucket.settings(), bucket.revision(), bucket.sharing().decide_within};
}

grpc::ServerUnaryReactor* allow_exact(const ServicesContext& context, const BucketEntry& bucket,
                                      grpc::CallbackServerContext* call,
                                      const v1::AllowRequestRequest& request,
                                      v1::AllowRequestResponse& response,
                                      std::function<absl::Status()> allow_here) {
  absl::Status status = check_request_id("request_id", request.request_id());
  if (!status.ok()) return answer(call, status);
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  std::vector<SharedBuckets::Admission> admissions(1);
  admissions.front().bucket = shared_bucket(bucket);
  admissions.front().request_id = id_or_made_up(request.request_id());
  response.set_request_id(admissions.front().request_id);
  admissions.front().done =
      [&context, reactor, &request, &response,
       allow_here = std::move(allow_here)](const absl::StatusOr<SharedTicket>& ticket) {
        if (!ticket.ok()) {
          return reactor->Finish(to_grpc(is_ours_now(context, request.bucket_id(), ticket.status())
                                             ? allow_here()
                                             : ticket.status()));
        }
        response.set_reason(reject_reason(ticket->reason));
        if (ticket->reason == RejectReason::kAdmitted) {
          response.set_allowed(true);
          response.set_queue_position(ticket->position);
          response.set_estimated_wait_ms(rounded_ms(ticket->wait));
          response.set_estimated_wait_ns(ticket->wait.ns);
          response.set_duplicate(ticket->duplicate);
        }
        reactor->Finish(grpc::Status::OK);
      };
  context.cluster.shared_buckets()->admit(std::move(admissions));
  return reactor;
}

bool is_ours_now(const ServicesContext& context, const std::string& id,
                 const absl::Status& status) {
  return absl::IsUnavailable(status) && context.cluster.shared_buckets()->away(id) &&
         exact_bucket(context, id) == nullptr;
}

void put_reading(const ServicesContext& context, const SharedStats& reading, BucketState& state) {
  const std::uint32_t ring_slots = state.stats.ring_slots;
  state.stats = reading.reading;
  state.stats.ring_slots = ring_slots;
  const TimePoint now = context.engine.now();
  state.stats.last_departure = now + Duration{-reading.since_last_departure.ns};
  state.stats.departure_time = now + reading.until_point;
}

grpc::ServerUnaryReactor* read_exact(const ServicesContext& context, const BucketEntryRef& bucket,
                                     grpc::CallbackServerContext* call, v1::Bucket& message) {
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  context.cluster.shared_buckets()->read(
      shared_bucket(*bucket),
      [&context, bucket, reactor, &message](const absl::StatusOr<SharedStats>& reading) {
        // While the failure policy is in force the node tells what it knows by itself.
        if (!reading.ok() && !context.cluster.shared_buckets()->away(bucket->id())) {
          return reactor->Finish(to_grpc(reading.status()));
        }
        std::optional<BucketState> state = bucket->state();
        if (!state) {
          return reactor->Finish(to_grpc(not_found("bucket_id", "bucket", bucket->id())));
        }
        if (reading.ok()) put_reading(context, *reading, *state);
        add_share(context.cluster, *state);
        write_bucket(*state, EpochClock(context.engine), message);
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

grpc::ServerUnaryReactor* list_exact(const ServicesContext& context, const BucketEntry& bucket,
                                     grpc::CallbackServerContext* call,
                                     const v1::GetQueuedRequestsRequest& request,
                                     v1::GetQueuedRequestsResponse& response) {
  const absl::StatusOr<std::size_t> limit = read_page_size(request.page_size());
  if (!limit.ok()) return answer(call, limit.status());
  const absl::StatusOr<std::uint64_t> first = read_sequence_token(request.page_token());
  if (!first.ok()) return answer(call, first.status());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  context.cluster.shared_buckets()->list(
      shared_bucket(bucket), *first, *limit,
      [&context, reactor, &response](const absl::StatusOr<SharedQueuePage>& page) {
        if (!page.ok()) return reactor->Finish(to_grpc(page.status()));
        if (page->next) response.set_next_page_token(sequence_token(*page->next));
        const EpochClock clock(context.engine);
        for (const SharedQueueEntry& entry : page->entries) {
          v1::QueuedRequest& message = *response.add_requests();
          message.set_request_id(entry.request_id);
          message.set_enqueue_time(clock.epoch_ms(clock.now() + Duration{-entry.since_arrival.ns}));
          message.set_estimated_process_time(clock.epoch_ms(clock.now() + entry.wait));
          message.set_queue_position(entry.position);
          message.set_estimated_wait_ns(entry.wait.ns);
        }
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

absl::StatusOr<SharedStats> read_exact_now(const ServicesContext& context,
                                           const SharedBuckets::Bucket& bucket) {
  return wait_for<SharedStats>(bucket.decide_within, [&](auto done) {
    context.cluster.shared_buckets()->read(bucket, std::move(done));
  });
}

absl::StatusOr<Removal> remove_exact_now(const ServicesContext& context,
                                         const SharedBuckets::Bucket& bucket, bool drop_backlog) {
  return wait_for<Removal>(bucket.decide_within, [&](auto done) {
    context.cluster.shared_buckets()->remove(bucket, drop_backlog, std::move(done));
  });
}

}  // namespace drip::control
