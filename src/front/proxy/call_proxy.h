// SPDX-License-Identifier: BSD-3-Clause
// A gRPC service that passes on each call to another process, as bytes.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>

namespace drip::front {

/// Whether calls of this method are passed on: those of Drip's API and of gRPC's health and
/// reflection services. What else the other process answers is for this one alone.
[[nodiscard]] bool is_passed_on(std::string_view method);

/// Passes on messages, metadata, deadline and cancellation, and gives back messages, metadata and
/// status; a message is not read before the one before it was written, in both directions. Says of
/// each call where it comes from (control/origin). Thread safe; outlives its server.
class CallProxy final : public grpc::CallbackGenericService {
 public:
  explicit CallProxy(const std::shared_ptr<grpc::Channel>& channel);

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* call) override;

 private:
  grpc::GenericStub stub_;
  std::unordered_set<std::string> unary_;  // Methods with one message in each direction.
};

}  // namespace drip::front
