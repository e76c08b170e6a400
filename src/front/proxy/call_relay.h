// SPDX-License-Identifier: BSD-3-Clause
// One call with any number of messages in each direction, passed on.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/client_callback.h>

#include <atomic>

#include "base/mutex.h"

namespace drip::front {

/// Two loops, each of one message at a time: read from the client and write to the node, read from
/// the node and write to the client. The call ends as the node ends it; a client that is gone, or
/// cancels, cancels the call that is made. Deletes itself when both calls are done.
class CallRelay final : public grpc::ServerGenericBidiReactor {
 public:
  CallRelay(grpc::GenericStub& stub, grpc::GenericCallbackServerContext& call);

 private:
  // The call that is made to the node.
  class Onward final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
   public:
    explicit Onward(CallRelay& relay) : relay_(relay) {}

   private:
    void OnReadInitialMetadataDone(bool ok) override { relay_.begin_answer(ok); }
    void OnReadDone(bool ok) override { relay_.take_answer(ok); }
    void OnWriteDone(bool ok) override { relay_.ask_next(ok); }
    void OnDone(const grpc::Status& status) override { relay_.end(status); }

    CallRelay& relay_;
  };

  // Of the client's call.
  void OnReadDone(bool ok) override;
  void OnWriteDone(bool ok) override;
  void OnCancel() override { context_.TryCancel(); }
  void OnDone() override { forget_one(); }
  // Of the call that is made.
  void begin_answer(bool ok);
  void take_answer(bool ok);
  void ask_next(bool ok);
  void end(const grpc::Status& status);

  void forget_one() {
    if (--calls_ == 0) delete this;
  }

  grpc::GenericCallbackServerContext& call_;
  grpc::ClientContext context_;  // Of the call that is made.
  Onward onward_{*this};
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
  bool client_is_gone_ = false;  // For the answers' loop alone.
  std::atomic<int> calls_{2};    // That are not done.
  Mutex mutex_;
  // The node sends no more: nothing is written to it from here on.
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace drip::front
