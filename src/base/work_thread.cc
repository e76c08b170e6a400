// SPDX-License-Identifier: BSD-3-Clause
// The work thread's loop.
#include "base/work_thread.h"

#include <utility>

#include "base/thread.h"

namespace drip {

WorkThread::WorkThread(const char* name, std::chrono::nanoseconds period, Work housekeeping)
    : period_(period),
      housekeeping_(std::move(housekeeping)),
      thread_(start_thread(name, [this] { run(); })) {}

bool WorkThread::post(Work work) {
  MutexLock lock(mutex_);
  if (stopped_) return false;
  work_.push_back(std::move(work));
  changed_.notify_one();
  return true;
}

void WorkThread::stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void WorkThread::run() {
  auto next_housekeeping = std::chrono::steady_clock::now() + period_;
  for (;;) {
    Work work;
    {
      MutexLock lock(mutex_);
      if (!work_.empty()) {
        work = std::move(work_.front());
        work_.pop_front();
      } else if (stopped_) {
        return;
      } else {
        const auto left = next_housekeeping - std::chrono::steady_clock::now();
        if (left.count() > 0) changed_.wait_for(mutex_, left);
      }
    }
    if (work) work();
    if (const auto now = std::chrono::steady_clock::now(); now >= next_housekeeping) {
      housekeeping_();
      next_housekeeping = now + period_;
    }
  }
}

}  // namespace drip
