// SPDX-License-Identifier: BSD-3-Clause
// gRPC ends the call that is made when no operation of it is pending and nobody holds it. The
// client's loop begins operations of it from callbacks of another call, which needs such a hold; it
// is given back under the lock when the node has sent its last message, since after that its status
// alone counts.
#include "front/proxy/call_relay.h"

#include "front/proxy/metadata.h"

namespace drip::front {

CallRelay::CallRelay(grpc::GenericStub& stub, grpc::GenericCallbackServerContext& call)
    : call_(call) {
  pass_on_request(call_, context_);
  context_.set_deadline(call_.raw_deadline());
  stub.PrepareBidiStreamingCall(&context_, call_.method(), {}, &onward_);
  onward_.AddHold();
  onward_.StartCall();
  StartRead(&request_);
}

void CallRelay::OnReadDone(bool ok) {
  MutexLock lock(mutex_);
  if (answered_) return;
  if (ok) {
    onward_.StartWrite(&request_);
  } else {
    // The client has sent its last message, or is gone: then OnCancel() comes as well.
    onward_.StartWritesDone();
  }
}

void CallRelay::ask_next(bool ok) {
  if (ok) StartRead(&request_);
}

void CallRelay::begin_answer(bool ok) {
  if (ok) {
    pass_on_initial(context_, call_);
    StartSendInitialMetadata();
  }
  // Not before: an answer could be written while its metadata is.
  onward_.StartRead(&response_);
}

void CallRelay::take_answer(bool ok) {
  if (!ok) {
    MutexLock lock(mutex_);
    answered_ = true;
    onward_.RemoveHold();
    return;
  }
  if (client_is_gone_) return onward_.StartRead(&response_);
  StartWrite(&response_);
}

void CallRelay::OnWriteDone(bool ok) {
  if (!ok) {
    client_is_gone_ = true;
    context_.TryCancel();
  }
  // Up to the end, which is soon if the call was cancelled: only then the hold is given back.
  onward_.StartRead(&response_);
}

void CallRelay::end(const grpc::Status& status) {
  pass_on_trailing(context_, call_);
  Finish(status);
  forget_one();
}

}  // namespace drip::front
