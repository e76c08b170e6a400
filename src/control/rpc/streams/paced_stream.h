// SPDX-License-Identifier: BSD-3-Clause
// A stream of the server that writes messages and sleeps between them.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <memory>

#include "base/mutex.h"
#include "control/rpc/streams/stream_set.h"

namespace drip::control {

/// Exactly one step is pending at any time, a write or a sleep, and only a step ends the stream:
/// end() just cuts the sleep short. So nothing is finished twice, or used after its end, and what
/// belongs to the steps needs no lock.
template <class Message>
class PacedStream : public grpc::ServerWriteReactor<Message>, public Stream {
 public:
  void end(const grpc::Status& status) final {
    MutexLock lock(mutex_);
    if (!ending_) end_status_ = status;
    ending_ = true;
    if (alarm_ != nullptr) alarm_->Cancel();
  }

 protected:
  /// `streams` keeps this one until it is done.
  explicit PacedStream(StreamSet& streams) : streams_(streams) {}

  /// A step: each of them begins the next one, by StartWrite(), sleep_until() or finish(). The
  /// first comes when a message has been written, the second after sleep_until().
  virtual void written() = 0;
  virtual void woken() = 0;
  /// The last step.
  virtual void finish(const grpc::Status& status) { this->Finish(status); }

  void sleep_until(std::chrono::system_clock::time_point time) {
    MutexLock lock(mutex_);
    // A new alarm each time: the one before may still be inside its callback.
    alarm_ = std::make_unique<grpc::Alarm>();
    alarm_->Set(time, [this](bool) {
      if (!finish_ending()) woken();
    });
    if (ending_) alarm_->Cancel();
  }

 private:
  // NOLINTBEGIN(readability-identifier-naming): they override methods of a base that depends on
  // Message, which clang-tidy does not see.
  void OnCancel() final { end({grpc::StatusCode::CANCELLED, "the caller cancelled"}); }
  void OnDone() final { streams_.forget(*this); }
  void OnWriteDone(bool ok) final {
    if (!ok) return finish({grpc::StatusCode::CANCELLED, "the caller disconnected"});
    if (!finish_ending()) written();
  }
  // NOLINTEND(readability-identifier-naming)

  // False if the stream goes on.
  [[nodiscard]] bool finish_ending() {
    grpc::Status status;
    {
      MutexLock lock(mutex_);
      if (!ending_) return false;
      status = end_status_;
    }
    finish(status);
    return true;
  }

  StreamSet& streams_;
  Mutex mutex_;
  std::unique_ptr<grpc::Alarm> alarm_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status end_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::control
