// SPDX-License-Identifier: BSD-3-Clause
// One AwaitTurn call, from its admission to its answer.
#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "control/requests/turn_watch.h"
#include "control/rpc/services_context.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::control {

/// One wait for a request in the node's own queue. Ended once: by its request, or by cancel().
class AwaitHere final : private Turn {
 public:
  using Finish = std::function<void(const grpc::Status&)>;

  /// Both outlive it; `finish` is called by any thread and may destroy it.
  AwaitHere(const ServicesContext& context, v1::AwaitTurnResponse& response, Finish finish)
      : context_(context), response_(response), finish_(std::move(finish)) {}

  /// Admits, and waits unless there is nothing to wait for.
  void begin(const v1::AwaitTurnRequest& request);
  /// Gives the place up if the request asks for that. False: it was or is being finished. Not
  /// before begin() has returned.
  [[nodiscard]] bool cancel();

 private:
  void finish(const RequestRecord& record) override;
  void give_up() override;
  void end(const grpc::Status& status);

  const ServicesContext& context_;
  v1::AwaitTurnResponse& response_;
  Finish finish_;
  bool release_on_cancel_ = false;
  // For a release, when the watch has let go of its own.
  RequestHandle held_request_;
  std::shared_ptr<RequestQueue> held_queue_;
};

/// The reactor of a new call; it deletes itself when the call is done.
[[nodiscard]] grpc::ServerUnaryReactor* await_turn(const ServicesContext& context,
                                                   grpc::CallbackServerContext* call,
                                                   const v1::AwaitTurnRequest& request,
                                                   v1::AwaitTurnResponse& response);

}  // namespace drip::control
