// SPDX-License-Identifier: BSD-3-Clause
// The one way by which calls come to their handlers: through admit().
#pragma once

#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <cstdlib>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "access/audit/audit_record.h"
#include "access/methods.h"
#include "base/log.h"
#include "base/text.h"
#include "control/rpc/calls/admitted.h"
#include "control/rpc/calls/rpc_status.h"
#include "control/rpc/calls/services_context.h"
#include "control/rpc/calls/unary_call.h"

namespace drip::control {

/// A generated service whose handlers are registered one by one with serve(), each behind admit().
/// A method without a handler or without a role in access/methods.h ends the process at its start,
/// so none can be served unguarded. `Api` is the generated class, v1::ShaperService.
template <class Api>
class GuardedService : public Api::Service {
 protected:
  explicit GuardedService(const ServicesContext& context)
      : context_(context),
        descriptor_(google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            Api::service_full_name())) {}

  /// For a method without streams.
  template <class Derived, class Request, class Response>
  void serve(const char* name,
             grpc::ServerUnaryReactor* (Derived::*handler)(const Admitted&,
                                                           grpc::CallbackServerContext*,
                                                           const Request*, Response*)) {
    auto* const self = static_cast<Derived*>(this);
    const access::MethodAccess& method = method_named(name);
    this->MarkMethodCallback(
        index_of(name),
        new grpc::internal::CallbackUnaryHandler<Request, Response>(
            [self, handler, &method](grpc::CallbackServerContext* call, const Request* request,
                                     Response* response) -> grpc::ServerUnaryReactor* {
              const absl::StatusOr<Admitted> admitted = self->check(method, *call);
              if (!admitted.ok()) return answer(call, admitted.status());
              return (self->*handler)(*admitted, call, request, response);
            }));
  }
  /// For one that answers with a stream.
  template <class Derived, class Request, class Response>
  void serve(const char* name, grpc::ServerWriteReactor<Response>* (Derived::*handler)(
                                   const Admitted&, grpc::CallbackServerContext*, const Request*)) {
    auto* const self = static_cast<Derived*>(this);
    const access::MethodAccess& method = method_named(name);
    this->MarkMethodCallback(
        index_of(name),
        new grpc::internal::CallbackServerStreamingHandler<Request, Response>(
            [self, handler, &method](grpc::CallbackServerContext* call, const Request* request)
                -> grpc::ServerWriteReactor<Response>* {
              const absl::StatusOr<Admitted> admitted = self->check(method, *call);
              if (!admitted.ok()) {
                return new Refused<grpc::ServerWriteReactor<Response>>(admitted.status());
              }
              return (self->*handler)(*admitted, call, request);
            }));
  }
  /// For one with streams in both directions.
  template <class Derived, class Request, class Response>
  void serve(const char* name, grpc::ServerBidiReactor<Request, Response>* (Derived::*handler)(
                                   const Admitted&, grpc::CallbackServerContext*)) {
    auto* const self = static_cast<Derived*>(this);
    const access::MethodAccess& method = method_named(name);
    this->MarkMethodCallback(
        index_of(name),
        new grpc::internal::CallbackBidiHandler<Request, Response>(
            [self, handler, &method](
                grpc::CallbackServerContext* call) -> grpc::ServerBidiReactor<Request, Response>* {
              const absl::StatusOr<Admitted> admitted = self->check(method, *call);
              if (!admitted.ok()) {
                return new Refused<grpc::ServerBidiReactor<Request, Response>>(admitted.status());
              }
              return (self->*handler)(*admitted, call);
            }));
  }
  /// After the last serve().
  void check_all_are_served() const {
    for (int i = 0; i < descriptor_->method_count(); ++i) {
      if (!served_.contains(i)) fail(descriptor_->method(i)->name(), "has no handler");
    }
  }

  const ServicesContext& context_;

 private:
  // A stream that ends at once.
  template <class Reactor>
  class Refused final : public Reactor {
   public:
    explicit Refused(const absl::Status& status) { this->Finish(to_grpc(status)); }
    void OnDone() override { delete this; }
  };

  // admit(); a call that it refuses is recorded.
  [[nodiscard]] absl::StatusOr<Admitted> check(const access::MethodAccess& method,
                                               const grpc::CallbackServerContext& call) const {
    const std::optional<CallOrigin> origin = origin_of(call, context_.forwarded);
    if (!origin) return absl::InternalError("the call does not say where it comes from");
    absl::StatusOr<Admitted> admitted =
        admit(context_.access, context_.clients, method, *origin, call);
    // A client that makes too many calls does not fill the records with them.
    if (admitted.ok() || absl::IsResourceExhausted(admitted.status())) return admitted;
    access::AuditRecord record;
    // Who is known but may not do it.
    const absl::StatusOr<access::CallerRef> caller =
        context_.access.identify(presented_by(*origin, call));
    if (caller.ok()) record.caller = (*caller)->name;
    record.peer = origin->peer;
    record.method = joined(method.service, "/", method.method);
    record.result = absl::StatusCodeToString(admitted.status().code());
    record.error = message_of(admitted.status());
    context_.audit.record_refused(std::move(record));
    return admitted;
  }

  // A mistake of the programmer.
  [[noreturn]] void fail(const std::string& method, const char* what) const {
    log_error("{}.{} {}", descriptor_->name(), method, what);
    std::abort();
  }
  [[nodiscard]] const access::MethodAccess& method_named(const char* name) const {
    const access::MethodAccess* const method = access::find_method(descriptor_->name(), name);
    if (method == nullptr) fail(name, "has no role in access/methods.h");
    return *method;
  }
  [[nodiscard]] int index_of(const char* name) {
    const auto* const method = descriptor_->FindMethodByName(name);
    if (method == nullptr) fail(name, "is not in the API");
    if (!served_.insert(method->index()).second) fail(name, "is served twice");
    return method->index();
  }

  const google::protobuf::ServiceDescriptor* const descriptor_;
  std::set<int> served_;
};

}  // namespace drip::control
