// SPDX-License-Identifier: BSD-3-Clause
// AwaitTurn as a reactor that the departure or a cancellation finishes, whichever is first.
#include "control/rpc/calls/await_turn.h"

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "control/convert/convert_bucket.h"
#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/calls/unary_call.h"

namespace drip::control {

void write_turn(const TurnResult& turn, v1::AwaitTurnResponse& response) {
  response.set_request_id(turn.request_id);
  response.set_reason(reject_reason(turn.reason));
  response.set_allowed(turn.reason == RejectReason::kAdmitted);
  response.set_dropped(turn.dropped);
  response.set_duplicate(turn.duplicate);
  response.set_estimated_wait_ns(turn.wait.ns);
  response.set_wait_is_estimate(turn.wait_is_estimate);
  response.set_sojourn_ns(turn.sojourn.ns);
  response.set_lateness_ns(turn.lateness.ns);
}

namespace {

class AwaitTurnCall final : public grpc::ServerUnaryReactor {
 public:
  AwaitTurnCall(OpenCalls::Place place, ClientShare waiting, grpc::CallbackServerContext* call,
                bool release_on_cancel, v1::AwaitTurnResponse& response)
      : place_(std::move(place)),
        waiting_(std::move(waiting)),
        call_(call),
        release_on_cancel_(release_on_cancel),
        response_(response) {}

  void begin(BucketEntry& bucket, const AdmitRequest& request) {
    turn_ =
        bucket.queues().await(bucket, request, [this](const absl::StatusOr<TurnResult>& result) {
          if (result.ok()) write_turn(*result, response_);
          Finish(to_grpc(result.status()));
        });
  }

 private:
  // gRPC: the deadline passed, the caller cancelled, or the connection broke. Not before begin()
  // has returned, nor after OnDone().
  void OnCancel() override {
    if (turn_ != nullptr && turn_->cancel(release_on_cancel_)) Finish(cancelled_status(*call_));
  }
  void OnDone() override { delete this; }

  const OpenCalls::Place place_;
  const ClientShare waiting_;
  grpc::CallbackServerContext* const call_;
  const bool release_on_cancel_;
  v1::AwaitTurnResponse& response_;
  std::shared_ptr<AwaitedTurn> turn_;
};

}  // namespace

grpc::ServerUnaryReactor* await_turn(BucketEntry& bucket, const AdmitRequest& admit_request,
                                     OpenCalls::Place place, ClientShare waiting,
                                     grpc::CallbackServerContext* call,
                                     const v1::AwaitTurnRequest& request,
                                     v1::AwaitTurnResponse& response) {
  auto reactor = std::make_unique<AwaitTurnCall>(std::move(place), std::move(waiting), call,
                                                 request.release_on_cancel(), response);
  reactor->begin(bucket, admit_request);
  return reactor.release();
}

}  // namespace drip::control
