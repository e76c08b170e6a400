// SPDX-License-Identifier: BSD-3-Clause
// How a unary call is answered: at once, or by the work thread.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "base/errors.h"
#include "base/work_thread.h"
#include "control/config/configuration_changes.h"
#include "control/rpc/calls/rpc_status.h"
#include "engine/call_types.h"

namespace drip::control {

/// Answers a call whose reply (if the status is OK) is filled in.
[[nodiscard]] inline grpc::ServerUnaryReactor* answer(grpc::CallbackServerContext* context,
                                                      const absl::Status& status) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  reactor->Finish(to_grpc(status));
  return reactor;
}

/// Until the call's deadline; WaitLimits::kNone if it has none.
[[nodiscard]] inline Duration time_left(const grpc::ServerContextBase& context) {
  // A call without a deadline has one so far off that the difference would overflow.
  constexpr std::chrono::hours kFar{24 * 365 * 100};
  const auto now = std::chrono::system_clock::now();
  const auto deadline = context.deadline();
  if (deadline > now + kFar) return WaitLimits::kNone;
  const std::chrono::nanoseconds left = deadline - now;
  return Duration{std::max<std::int64_t>(left.count(), 0)};
}

/// Why a call that gRPC calls cancelled is.
[[nodiscard]] inline grpc::Status cancelled_status(const grpc::ServerContextBase& context) {
  if (context.deadline() <= std::chrono::system_clock::now()) {
    return {grpc::StatusCode::DEADLINE_EXCEEDED, "the deadline passed"};
  }
  return {grpc::StatusCode::CANCELLED, "the caller cancelled"};
}

[[nodiscard]] inline grpc::Status stopping_status() { return to_grpc(node_stopping()); }

/// Answers with what `call()` returns, an absl::Status, when its turn on the work thread has come.
/// A call that was cancelled or is past its deadline by then is not carried out.
template <typename Call>
[[nodiscard]] grpc::ServerUnaryReactor* answer_in_order(grpc::CallbackServerContext* context,
                                                        WorkThread& work, Call call) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const bool posted = work.post([context, reactor, call = std::move(call)] {
    if (context->IsCancelled() || context->deadline() <= std::chrono::system_clock::now()) {
      reactor->Finish(cancelled_status(*context));
    } else {
      reactor->Finish(to_grpc(call()));
    }
  });
  if (!posted) reactor->Finish(stopping_status());
  return reactor;
}

/// The same for a call that changes something: what it has changed is stored before it is answered.
template <typename Call>
[[nodiscard]] grpc::ServerUnaryReactor* answer_change_in_order(grpc::CallbackServerContext* context,
                                                               WorkThread& work,
                                                               ConfigurationChanges& changes,
                                                               Call call) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const bool posted = work.post([context, reactor, &changes, call = std::move(call)] {
    if (context->IsCancelled() || context->deadline() <= std::chrono::system_clock::now()) {
      return reactor->Finish(cancelled_status(*context));
    }
    const absl::Status status = call();
    changes.when_stored([reactor, status](const absl::Status& stored) {
      reactor->Finish(to_grpc(status.ok() ? stored : status));
    });
  });
  if (!posted) reactor->Finish(stopping_status());
  return reactor;
}

}  // namespace drip::control
