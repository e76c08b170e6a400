// SPDX-License-Identifier: BSD-3-Clause
// From the end of a request to the answer of the call that awaits it.
#include "control/requests/local_turn.h"

#include "base/errors.h"

namespace drip::control {

bool LocalTurn::cancel(bool release) {
  if (!watch_.withdraw(*this)) return false;
  done_ = nullptr;
  if (release) {
    queue_->release(*request_);
    watch_.look_at_all_of(*queue_);
  }
  return true;
}

void LocalTurn::finish(const RequestRecord& record) {
  switch (record.state.load(std::memory_order_acquire)) {
    case RequestRecord::State::kDeparted:
      result_.sojourn = record.departed - record.arrival;
      result_.lateness = record.lateness;
      return end(std::move(result_));
    case RequestRecord::State::kReleased:
      return end(released_by_another());
    case RequestRecord::State::kStopped:
      return end(absl::UnavailableError("request_id: the node stopped before its turn came"));
    default:
      result_.dropped = true;
      return end(std::move(result_));
  }
}

void LocalTurn::give_up() { end(node_stopping()); }

void LocalTurn::end(absl::StatusOr<TurnResult> result) {
  // What it captures may be destroyed by the call.
  const Done<TurnResult> done = std::exchange(done_, nullptr);
  done(std::move(result));
}

}  // namespace drip::control
