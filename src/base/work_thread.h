// SPDX-License-Identifier: BSD-3-Clause
// A thread that carries out work in order, and a piece of housekeeping now and then.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace drip::control {

/// Changes of the configuration wait for the polling threads and for one another. They are done
/// here, so that they never hold up gRPC's few threads, which answer AllowRequest.
class WorkThread {
 public:
  using Work = std::function<void()>;

  /// Calls `housekeeping` about every `period` as well.
  WorkThread(std::chrono::nanoseconds period, Work housekeeping);
  ~WorkThread() { stop(); }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  /// Thread safe. False, and the work is not done, once stop() was called.
  [[nodiscard]] bool post(Work work);
  /// Ends after all work that was posted. Does nothing the second time; not at one time with
  /// itself.
  void stop();

 private:
  void run();

  const std::chrono::nanoseconds period_;
  const Work housekeeping_;
  Mutex mutex_;
  Condition changed_;
  std::deque<Work> work_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::control
