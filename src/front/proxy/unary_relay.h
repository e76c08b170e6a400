// SPDX-License-Identifier: BSD-3-Clause
// One call with one message in each direction, passed on.
#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>

namespace drip::front {

/// Deletes itself when the call is done. What CallRelay does for any call, in fewer steps: gRPC
/// sends and receives all of a unary call at once.
class UnaryRelay final : public grpc::ServerGenericBidiReactor {
 public:
  UnaryRelay(grpc::GenericStub& stub, grpc::GenericCallbackServerContext& call);

 private:
  void OnReadDone(bool ok) override;
  void OnCancel() override { context_.TryCancel(); }
  void OnDone() override { delete this; }
  void answer(const grpc::Status& status);

  grpc::GenericStub& stub_;
  grpc::GenericCallbackServerContext& call_;
  grpc::ClientContext context_;  // Of the call that is made.
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

}  // namespace drip::front
