// SPDX-License-Identifier: BSD-3-Clause
// A wait for a request in a queue of this node.
#pragma once

#include <memory>
#include <utility>

#include "control/model/request_queues.h"
#include "control/requests/local_queue.h"
#include "control/requests/request_pool.h"
#include "control/requests/turn_watch.h"

namespace drip::control {

/// Ends once: by the turn watch, or by cancel().
class LocalTurn final : public AwaitedTurn, public Turn {
 public:
  /// `watch` outlives it.
  LocalTurn(TurnWatch& watch, std::shared_ptr<LocalQueue> queue, RequestHandle request,
            TurnResult result, Done<TurnResult> done)
      : watch_(watch),
        queue_(std::move(queue)),
        request_(std::move(request)),
        result_(std::move(result)),
        done_(std::move(done)) {}

  [[nodiscard]] bool cancel(bool release) override;
  void finish(const RequestRecord& record) override;
  void give_up() override;

 private:
  void end(absl::StatusOr<TurnResult> result);

  TurnWatch& watch_;
  const std::shared_ptr<LocalQueue> queue_;
  const RequestHandle request_;
  TurnResult result_;
  Done<TurnResult> done_;
};

}  // namespace drip::control
