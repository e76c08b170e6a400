// SPDX-License-Identifier: BSD-3-Clause
// A thread that runs functions in the order in which they were posted.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace drip {

/// For changes of the configuration, each of which waits for the polling threads and for the change
/// before it. On a thread of their own they do not delay gRPC's few threads, which answer
/// AllowRequest.
class WorkThread {
 public:
  using Work = std::function<void()>;

  /// Starts the thread, which also calls `housekeeping` about every `period`. `name` has at most 15
  /// characters.
  WorkThread(const char* name, std::chrono::nanoseconds period, Work housekeeping);
  ~WorkThread() { stop(); }
  WorkThread(const WorkThread&) = delete;
  WorkThread& operator=(const WorkThread&) = delete;

  /// Thread safe. Returns false, and does not run `work`, once stop() was called.
  [[nodiscard]] bool post(Work work);
  /// Runs all work that was posted, then ends the thread. A second call does nothing. Not to be
  /// called by two threads at the same time.
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

}  // namespace drip
