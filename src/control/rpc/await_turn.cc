// SPDX-License-Identifier: BSD-3-Clause
// AwaitTurn as a reactor that the turn watch or a cancellation finishes, whichever is first.
#include "control/rpc/await_turn.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "control/convert/convert_bucket.h"
#include "control/requests/turn_watch.h"
#include "control/rpc/admit_request.h"
#include "control/rpc/rpc_status.h"
#include "control/rpc/unary_call.h"

namespace drip::control {

void AwaitHere::begin(const v1::AwaitTurnRequest& request) {
  release_on_cancel_ = request.release_on_cancel();
  const std::optional<std::uint32_t> bytes =
      request.has_bytes() ? std::optional(request.bytes()) : std::nullopt;
  absl::StatusOr<AdmittedRequest> admitted =
      admit_request(context_, request.bucket_id(), request.request_id(), bytes);
  if (!admitted.ok()) return end(to_grpc(admitted.status()));
  const Ticket& ticket = admitted->ticket;
  response_.set_request_id(ticket.request_id);
  response_.set_reason(reject_reason(ticket.admission.reason));
  if (ticket.admission.reason != RejectReason::kAdmitted) return end(grpc::Status::OK);
  response_.set_allowed(true);
  held_request_ = ticket.request;
  held_queue_ = admitted->queue;
  const TimePoint departure = admitted->departure(context_.engine);
  // From here on another thread may finish and so destroy this.
  if (!context_.turns.watch(*this, std::move(admitted->queue), ticket.request, departure)) {
    end(stopping_status());
  }
}

bool AwaitHere::cancel() {
  if (!context_.turns.withdraw(*this)) return false;
  if (release_on_cancel_) {
    held_queue_->release(*held_request_);
    context_.turns.look_at_all_of(*held_queue_);
  }
  return true;
}

void AwaitHere::finish(const RequestRecord& record) {
  switch (record.state.load(std::memory_order_acquire)) {
    case RequestRecord::State::kDeparted:
      response_.set_sojourn_ns((record.departed - record.arrival).ns);
      response_.set_lateness_ns(record.lateness.ns);
      return end(grpc::Status::OK);
    case RequestRecord::State::kReleased:
      return end({grpc::StatusCode::ABORTED,
                  "request_id: another caller that awaited it gave its place up"});
    case RequestRecord::State::kStopped:
      return end(
          {grpc::StatusCode::UNAVAILABLE, "request_id: the node stopped before its turn came"});
    default:
      response_.set_dropped(true);
      return end(grpc::Status::OK);
  }
}

void AwaitHere::give_up() { end(stopping_status()); }

void AwaitHere::end(const grpc::Status& status) {
  const Finish finish = std::move(finish_);  // This may not outlive the call.
  finish(status);
}

namespace {

class AwaitTurnCall final : public grpc::ServerUnaryReactor {
 public:
  AwaitTurnCall(const ServicesContext& context, grpc::CallbackServerContext* call,
                v1::AwaitTurnResponse& response)
      : call_(call),
        here_(context, response, [this](const grpc::Status& status) { Finish(status); }) {}

  void begin(const v1::AwaitTurnRequest& request) { here_.begin(request); }

 private:
  // gRPC: the deadline passed, the caller cancelled, or the connection broke. Not before begin()
  // has returned, nor after OnDone().
  void OnCancel() override {
    if (here_.cancel()) Finish(cancelled_status(*call_));
  }
  void OnDone() override { delete this; }

  grpc::CallbackServerContext* const call_;
  AwaitHere here_;
};

}  // namespace

grpc::ServerUnaryReactor* await_turn(const ServicesContext& context,
                                     grpc::CallbackServerContext* call,
                                     const v1::AwaitTurnRequest& request,
                                     v1::AwaitTurnResponse& response) {
  auto reactor = std::make_unique<AwaitTurnCall>(context, call, response);
  reactor->begin(request);
  return reactor.release();
}

}  // namespace drip::control
