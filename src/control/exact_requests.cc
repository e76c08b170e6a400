// SPDX-License-Identifier: BSD-3-Clause
// Calls of RateLimiterService on exact buckets.
#include "control/exact_requests.h"

#include <future>
#include <memory>
#include <random>
#include <utility>

#include "control/convert_bucket.h"
#include "control/convert_page.h"
#include "control/epoch_clock.h"
#include "control/refusal.h"
#include "control/rpc_status.h"
#include "control/text.h"
#include "control/unary_call.h"

namespace drip::control {
namespace {

// Long enough for the link to have given up by itself.
constexpr std::chrono::milliseconds kGrace{500};
// Redis does not answer: until the call's own deadline it is asked again.
constexpr Duration kAskAgain{50'000'000};

std::string id_or_made_up(const std::string& id) {
  if (!id.empty()) return id;
  thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("req-{:016x}", random());
}

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

// Admits, then asks whether the request has left when it is due, and again if it was put off.
class AwaitExactCall final : public grpc::ServerUnaryReactor {
 public:
  AwaitExactCall(SharedBuckets& shared, const Engine& engine, SharedBuckets::Bucket bucket,
                 const v1::AwaitTurnRequest& request, v1::AwaitTurnResponse& response)
      : state_(std::make_shared<State>()) {
    state_->call = this;
    state_->shared = &shared;
    state_->engine = &engine;
    state_->bucket = std::move(bucket);
    state_->id = id_or_made_up(request.request_id());
    state_->release_on_cancel = request.release_on_cancel();
    state_->response = &response;
    response.set_request_id(state_->id);
    shared.admit(state_->bucket, state_->id, [state = state_](absl::StatusOr<SharedTicket> ticket) {
      admitted(state, std::move(ticket));
    });
  }

 private:
  // Outlives the call where Redis answers after it.
  struct State {
    Mutex mutex;
    AwaitExactCall* call ABSL_GUARDED_BY(mutex) = nullptr;  // Null when it is finished.
    v1::AwaitTurnResponse* response ABSL_GUARDED_BY(mutex) = nullptr;
    SharedPlace place ABSL_GUARDED_BY(mutex);
    SharedBuckets* shared = nullptr;
    const Engine* engine = nullptr;
    SharedBuckets::Bucket bucket;
    std::string id;
    bool release_on_cancel = false;
    TimePoint arrival, due;  // Of the one callback that is under way.
  };
  using StateRef = std::shared_ptr<State>;

  // Cancelled while it waited: the cancellation has finished it.
  static void finish(const StateRef& state, const grpc::Status& status) {
    AwaitExactCall* call = nullptr;
    {
      MutexLock lock(state->mutex);
      std::swap(call, state->call);
    }
    if (call != nullptr) call->Finish(status);
  }

  static void admitted(const StateRef& state, absl::StatusOr<SharedTicket> ticket) {
    if (!ticket.ok()) return finish(state, to_grpc(ticket.status()));
    {
      MutexLock lock(state->mutex);
      state->place = ticket->place;
      if (state->call == nullptr) {
        if (state->release_on_cancel && ticket->reason == RejectReason::kAdmitted) give_up(state);
        return;
      }
      state->response->set_reason(reject_reason(ticket->reason));
      state->response->set_allowed(ticket->reason == RejectReason::kAdmitted);
    }
    if (ticket->reason != RejectReason::kAdmitted) return finish(state, grpc::Status::OK);
    state->arrival = state->engine->now();
    look(state, ticket->until_departure);
  }

  static void give_up(const StateRef& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state->mutex) {
    state->shared->release(state->bucket, state->id, state->place,
                           [](const absl::StatusOr<SharedTurn>&) {});
  }

  static void look(const StateRef& state, Duration in) {
    state->due = state->engine->now() + in;
    SharedPlace place;
    {
      MutexLock lock(state->mutex);
      if (state->call == nullptr) return;
      place = state->place;
    }
    state->shared->look(state->bucket, state->id, place, in,
                        [state](absl::StatusOr<SharedTurn> turn) { looked(state, turn); });
  }

  static void looked(const StateRef& state, const absl::StatusOr<SharedTurn>& turn) {
    if (absl::IsUnavailable(turn.status())) {
      const TimePoint due = state->due;
      look(state, kAskAgain);
      state->due = due;
      return;
    }
    if (!turn.ok()) return finish(state, to_grpc(turn.status()));
    switch (turn->state) {
      case SharedTurn::State::kWaits:
        return look(state, std::max(turn->until_departure, Duration{1}));
      case SharedTurn::State::kReleased:
        return finish(state, {grpc::StatusCode::ABORTED,
                              "request_id: another caller that awaited it gave its place up"});
      case SharedTurn::State::kDeparted: {
        MutexLock lock(state->mutex);
        if (state->call == nullptr) return;
        const Duration late = state->engine->now() - state->due;
        state->response->set_sojourn_ns((state->engine->now() - state->arrival).ns);
        state->response->set_lateness_ns(std::max(late, Duration{}).ns);
        break;
      }
      case SharedTurn::State::kDropped: {
        MutexLock lock(state->mutex);
        if (state->call == nullptr) return;
        state->response->set_dropped(true);
        break;
      }
    }
    finish(state, grpc::Status::OK);
  }

  void OnCancel() override {
    const StateRef state = state_;
    AwaitExactCall* call = nullptr;
    {
      MutexLock lock(state->mutex);
      std::swap(call, state->call);
      if (call != nullptr && state->release_on_cancel && !state->place.instance.empty()) {
        give_up(state);
      }
    }
    if (call != nullptr) {
      call->Finish({grpc::StatusCode::CANCELLED, "the caller cancelled, or the deadline passed"});
    }
  }
  void OnDone() override { delete this; }

  const StateRef state_;
};

}  // namespace

KnownBucketRef exact_bucket(const ServicesContext& context, const std::string& id) {
  const SharedBuckets* const shared = context.cluster.shared_buckets();
  KnownBucketRef bucket = shared == nullptr ? nullptr : context.buckets.find(id);
  if (bucket == nullptr || !bucket->sharing().exact()) return nullptr;
  // Where Redis does not answer an open bucket is the node's own.
  const std::optional<ShareState> state = shared->share_of(id);
  if (state && state->policy_state == PolicyState::kOpen) return nullptr;
  return bucket;
}

SharedBuckets::Bucket shared_bucket(const KnownBucket& bucket) {
  return {bucket.id(), bucket.settings(), bucket.revision(), bucket.sharing().decide_within};
}

grpc::ServerUnaryReactor* allow_exact(const ServicesContext& context, const KnownBucket& bucket,
                                      grpc::CallbackServerContext* call,
                                      const v1::AllowRequestRequest& request,
                                      v1::AllowRequestResponse& response) {
  absl::Status status = check_request_id("request_id", request.request_id());
  if (!status.ok()) return answer(call, status);
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  response.set_request_id(id_or_made_up(request.request_id()));
  context.cluster.shared_buckets()->admit(
      shared_bucket(bucket), response.request_id(),
      [reactor, &response](const absl::StatusOr<SharedTicket>& ticket) {
        if (!ticket.ok()) return reactor->Finish(to_grpc(ticket.status()));
        response.set_reason(reject_reason(ticket->reason));
        if (ticket->reason == RejectReason::kAdmitted) {
          response.set_allowed(true);
          response.set_queue_position(ticket->position);
          response.set_estimated_wait_ms(rounded_ms(ticket->wait));
          response.set_estimated_wait_ns(ticket->wait.ns);
          response.set_duplicate(ticket->duplicate);
        }
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

grpc::ServerUnaryReactor* await_exact(const ServicesContext& context, const KnownBucket& bucket,
                                      const v1::AwaitTurnRequest& request,
                                      v1::AwaitTurnResponse& response) {
  return std::make_unique<AwaitExactCall>(*context.cluster.shared_buckets(), context.engine,
                                          shared_bucket(bucket), request, response)
      .release();
}

void put_reading(const ServicesContext& context, const SharedReading& reading, BucketState& state) {
  const std::uint32_t ring_slots = state.reading.ring_slots;
  state.reading = reading.reading;
  state.reading.ring_slots = ring_slots;
  const TimePoint now = context.engine.now();
  state.reading.last_departure = now + Duration{-reading.since_last_departure.ns};
  state.reading.point = now + reading.until_point;
}

grpc::ServerUnaryReactor* read_exact(const ServicesContext& context, const KnownBucketRef& bucket,
                                     grpc::CallbackServerContext* call, v1::Bucket& message) {
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  context.cluster.shared_buckets()->read(
      shared_bucket(*bucket),
      [&context, bucket, reactor, &message](const absl::StatusOr<SharedReading>& reading) {
        if (!reading.ok()) return reactor->Finish(to_grpc(reading.status()));
        std::optional<BucketState> state = bucket->state();
        if (!state) {
          return reactor->Finish(to_grpc(not_found("bucket_id", "bucket", bucket->id())));
        }
        put_reading(context, *reading, *state);
        add_share(context.cluster, *state);
        write_bucket(*state, EpochClock(context.engine), message);
        reactor->Finish(grpc::Status::OK);
      });
  return reactor;
}

grpc::ServerUnaryReactor* list_exact(const ServicesContext& context, const KnownBucket& bucket,
                                     grpc::CallbackServerContext* call,
                                     const v1::GetQueuedRequestsRequest& request,
                                     v1::GetQueuedRequestsResponse& response) {
  const absl::StatusOr<std::size_t> limit = read_page_size(request.page_size());
  if (!limit.ok()) return answer(call, limit.status());
  const absl::StatusOr<std::uint64_t> first = read_sequence_token(request.page_token());
  if (!first.ok()) return answer(call, first.status());
  grpc::ServerUnaryReactor* const reactor = call->DefaultReactor();
  context.cluster.shared_buckets()->list(
      shared_bucket(bucket), *first, *limit + 1,
      [&context, reactor, &response,
       most = *limit](absl::StatusOr<std::vector<SharedQueueEntry>> entries) {
        if (!entries.ok()) return reactor->Finish(to_grpc(entries.status()));
        if (entries->size() > most) {
          response.set_next_page_token(sequence_token(entries->back().sequence));
          entries->pop_back();
        }
        const EpochClock clock(context.engine);
        for (const SharedQueueEntry& entry : *entries) {
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

absl::StatusOr<SharedReading> read_exact_now(const ServicesContext& context,
                                             const SharedBuckets::Bucket& bucket) {
  return wait_for<SharedReading>(bucket.decide_within, [&](auto done) {
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
