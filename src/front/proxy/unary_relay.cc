// SPDX-License-Identifier: BSD-3-Clause
#include "front/proxy/unary_relay.h"

#include "front/proxy/metadata.h"

namespace drip::front {

UnaryRelay::UnaryRelay(grpc::GenericStub& stub, grpc::GenericCallbackServerContext& call)
    : stub_(stub), call_(call) {
  StartRead(&request_);
}

void UnaryRelay::OnReadDone(bool ok) {
  if (!ok) return Finish({grpc::StatusCode::CANCELLED, "the call ended without its message"});
  pass_on_request(call_, context_);
  context_.set_deadline(call_.raw_deadline());
  stub_.UnaryCall(&context_, call_.method(), {}, &request_, &response_,
                  [this](const grpc::Status& status) { answer(status); });
}

void UnaryRelay::answer(const grpc::Status& status) {
  pass_on_initial(context_, call_);
  pass_on_trailing(context_, call_);
  // May delete this.
  if (status.ok()) {
    StartWriteAndFinish(&response_, grpc::WriteOptions(), status);
  } else {
    Finish(status);
  }
}

}  // namespace drip::front
