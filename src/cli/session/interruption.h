// SPDX-License-Identifier: BSD-3-Clause
// Lets SIGINT and SIGTERM end a stream, so that what came until then is shown.
#pragma once

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <atomic>
#include <ctime>
#include <thread>

namespace drip::cli {

// Blocks SIGINT and SIGTERM in this thread and in threads that it starts later. Must be called
// before gRPC starts threads, because a signal is delivered to any thread that does not block it.
inline sigset_t block_interrupts() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

// Cancels a call when one of `signals`, which must be blocked, arrives, so that the stream ends
// normally and no line is cut. A thread waits for the signal, because TryCancel() may not be called
// in a signal handler.
class Interruption {
 public:
  Interruption(const sigset_t& signals, grpc::ClientContext* context)
      : waiting_([this, signals, context](std::stop_token stop) {
          const timespec patience{0, 50'000'000};
          while (!stop.stop_requested()) {
            if (sigtimedwait(&signals, nullptr, &patience) > 0) {
              happened_ = true;
              context->TryCancel();
              return;
            }
          }
        }) {}

  bool happened() const { return happened_; }

 private:
  std::atomic<bool> happened_ = false;
  std::jthread waiting_;
};

}  // namespace drip::cli
