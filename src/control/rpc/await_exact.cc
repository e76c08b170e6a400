// SPDX-License-Identifier: BSD-3-Clause
// Admits, then asks whether the request has left when it is due.
#include "control/rpc/await_exact.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "control/convert/convert_bucket.h"
#include "control/rpc/await_turn.h"
#include "control/rpc/exact_requests.h"
#include "control/rpc/rpc_status.h"
#include "control/rpc/unary_call.h"

namespace drip::control {
namespace {

constexpr Duration kLookAtLeastEvery{1'000'000'000};

class AwaitExactCall final : public grpc::ServerUnaryReactor {
 public:
  AwaitExactCall(const ServicesContext& context, grpc::CallbackServerContext* call,
                 const v1::AwaitTurnRequest& request, v1::AwaitTurnResponse& response)
      : call_(call), state_(std::make_shared<State>(context, request)) {
    state_->id = id_or_made_up(request.request_id());
    response.set_request_id(state_->id);
    MutexLock lock(state_->mutex);
    state_->call = this;
    state_->response = &response;
  }

  void begin(const BucketEntry& bucket) { admit(state_, bucket); }

 private:
  // Outlives the call where Redis answers after it.
  struct State {
    State(const ServicesContext& the_context, const v1::AwaitTurnRequest& the_request)
        : context(the_context),
          request(the_request),
          release_on_cancel(the_request.release_on_cancel()) {}

    const ServicesContext& context;
    const v1::AwaitTurnRequest request;
    const bool release_on_cancel;
    std::string id;

    Mutex mutex;
    AwaitExactCall* call ABSL_GUARDED_BY(mutex) = nullptr;  // Null when it is finished.
    v1::AwaitTurnResponse* response ABSL_GUARDED_BY(mutex) = nullptr;
    SharedPlace place ABSL_GUARDED_BY(mutex);
    // In the node's own queue instead, for the bucket is open.
    std::unique_ptr<AwaitHere> here ABSL_GUARDED_BY(mutex);
    bool here_busy ABSL_GUARDED_BY(mutex) = false;  // In a call of ours: it must not go.
    bool here_ended ABSL_GUARDED_BY(mutex) = false;
    bool cancelled ABSL_GUARDED_BY(mutex) = false;

    SharedBuckets::Bucket bucket;  // Written under the mutex, by the callback that is under way.
    // Of that callback alone.
    TimePoint arrival, due;
    bool arrived = false;
  };
  using StateRef = std::shared_ptr<State>;

  static SharedBuckets& shared(const StateRef& state) {
    return *state->context.cluster.shared_buckets();
  }

  // Cancelled while it waited: the cancellation has finished it.
  static void finish(const StateRef& state, const grpc::Status& status) {
    AwaitExactCall* call = nullptr;
    {
      MutexLock lock(state->mutex);
      std::swap(call, state->call);
    }
    if (call != nullptr) call->Finish(status);
  }

  static void admit(const StateRef& state, const BucketEntry& bucket) {
    {
      MutexLock lock(state->mutex);
      state->bucket = shared_bucket(bucket);
    }
    std::vector<SharedBuckets::Admission> admissions(1);
    admissions.front().bucket = state->bucket;
    admissions.front().request_id = state->id;
    admissions.front().done = [state](absl::StatusOr<SharedTicket> ticket) {
      admitted(state, std::move(ticket));
    };
    shared(state).admit(std::move(admissions));
  }

  static void admitted(const StateRef& state, absl::StatusOr<SharedTicket> ticket) {
    if (!ticket.ok()) {
      if (is_ours_now(state->context, state->request.bucket_id(), ticket.status())) {
        return wait_here(state);
      }
      return finish(state, to_grpc(ticket.status()));
    }
    const bool allowed = ticket->reason == RejectReason::kAdmitted;
    {
      MutexLock lock(state->mutex);
      state->place = ticket->place;
      if (state->call == nullptr) {
        if (state->release_on_cancel && allowed) give_up(state);
        return;
      }
      state->response->set_reason(reject_reason(ticket->reason));
      state->response->set_allowed(allowed);
    }
    if (!allowed) return finish(state, grpc::Status::OK);
    const TimePoint now = state->context.engine.now();
    if (!std::exchange(state->arrived, true)) state->arrival = now;
    state->due = now + ticket->until_departure;
    look(state);
  }

  static void wait_here(const StateRef& state) {
    AwaitHere* here = nullptr;
    {
      MutexLock lock(state->mutex);
      if (state->call == nullptr) return;
      state->here = std::make_unique<AwaitHere>(state->context, *state->response,
                                                [state](const grpc::Status& status) {
                                                  finish(state, status);
                                                  let_go_of_here(state, true);
                                                });
      here = state->here.get();
      state->here_busy = true;
    }
    v1::AwaitTurnRequest request = state->request;
    request.set_request_id(state->id);
    here->begin(request);
    bool tried = false;
    bool ended = false;
    while (true) {
      {
        MutexLock lock(state->mutex);
        if (tried || !state->cancelled) {
          state->here_busy = false;
          break;
        }
      }
      tried = true;
      ended = here->cancel();
    }
    let_go_of_here(state, ended);
  }

  // When it is over and nobody is in it.
  static void let_go_of_here(const StateRef& state, bool ended) {
    std::unique_ptr<AwaitHere> last;
    MutexLock lock(state->mutex);
    state->here_ended = state->here_ended || ended;
    if (state->call == nullptr && state->here_ended && !state->here_busy) {
      last = std::move(state->here);
    }
  }

  static void give_up(const StateRef& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state->mutex) {
    shared(state).release(state->bucket, state->id, state->place,
                          [](const absl::StatusOr<SharedTurn>&) {});
  }

  static void look(const StateRef& state) {
    const Duration left = state->due - state->context.engine.now();
    SharedPlace place;
    {
      MutexLock lock(state->mutex);
      if (state->call == nullptr) return;
      place = state->place;
    }
    shared(state).look(state->bucket, state->id, place,
                       std::clamp(left, Duration{1}, kLookAtLeastEvery),
                       [state](const absl::StatusOr<SharedTurn>& turn) { looked(state, turn); });
  }

  static void looked(const StateRef& state, const absl::StatusOr<SharedTurn>& turn) {
    const TimePoint now = state->context.engine.now();
    if (absl::IsUnavailable(turn.status())) {
      return now >= state->due ? left(state, now) : look(state);
    }
    if (!turn.ok()) return finish(state, to_grpc(turn.status()));
    switch (turn->state) {
      case SharedTurn::State::kWaits:
        state->due = now + turn->until_departure;
        return look(state);
      case SharedTurn::State::kReleased:
        return finish(state, {grpc::StatusCode::ABORTED,
                              "request_id: another caller that awaited it gave its place up"});
      case SharedTurn::State::kDeparted:
        return left(state, now);
      case SharedTurn::State::kLost:
        // Behind those that came since, so that no more leaves than may.
        if (const BucketEntryRef bucket =
                exact_bucket(state->context, state->request.bucket_id())) {
          return admit(state, *bucket);
        }
        [[fallthrough]];  // And the bucket is gone as well.
      case SharedTurn::State::kDropped: {
        MutexLock lock(state->mutex);
        if (state->call == nullptr) return;
        state->response->set_dropped(true);
        break;
      }
    }
    finish(state, grpc::Status::OK);
  }

  static void left(const StateRef& state, TimePoint now) {
    {
      MutexLock lock(state->mutex);
      if (state->call == nullptr) return;
      state->response->set_sojourn_ns((now - state->arrival).ns);
      state->response->set_lateness_ns(std::max(now - state->due, Duration{}).ns);
    }
    finish(state, grpc::Status::OK);
  }

  void OnCancel() override {
    const StateRef state = state_;
    AwaitExactCall* call = nullptr;
    AwaitHere* here = nullptr;
    {
      MutexLock lock(state->mutex);
      std::swap(call, state->call);
      state->cancelled = true;
      if (call == nullptr) return;
      if (!state->here_busy && state->here != nullptr) {
        here = state->here.get();
        state->here_busy = true;
      }
      if (state->here == nullptr && state->release_on_cancel && !state->place.instance.empty()) {
        give_up(state);
      }
    }
    if (here != nullptr) {
      const bool ended = here->cancel();
      {
        MutexLock lock(state->mutex);
        state->here_busy = false;
      }
      let_go_of_here(state, ended);
    }
    call->Finish(cancelled_status(*call_));
  }
  void OnDone() override { delete this; }

  grpc::CallbackServerContext* const call_;
  const StateRef state_;
};

}  // namespace

grpc::ServerUnaryReactor* await_exact(const ServicesContext& context, const BucketEntry& bucket,
                                      grpc::CallbackServerContext* call,
                                      const v1::AwaitTurnRequest& request,
                                      v1::AwaitTurnResponse& response) {
  auto reactor = std::make_unique<AwaitExactCall>(context, call, request, response);
  reactor->begin(bucket);
  return reactor.release();
}

}  // namespace drip::control
