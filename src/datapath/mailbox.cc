// SPDX-License-Identifier: BSD-3-Clause
// The callers' side of the mailbox, and the sleep of the polling thread.
#include "datapath/mailbox.h"

#include <immintrin.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <system_error>
#include <thread>

namespace drip::datapath {
namespace {

// The polling thread usually runs a job within a microsecond. If it takes longer (it slept, or lost
// its CPU), the caller gives up its own CPU.
constexpr int kSpins = 200;
constexpr int kYields = 50;
constexpr std::chrono::microseconds kNap{20};

constexpr Duration kLongestSleep{100'000'000};

}  // namespace

Mailbox::Mailbox() : event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { ::close(event_fd_); }

void Mailbox::wake() const {
  const std::uint64_t one = 1;
  (void)!write(event_fd_, &one, sizeof one);
}

void Mailbox::post_and_wait(Job job) {
  for (;;) {
    {
      const std::lock_guard lock(producers_);
      if (closed_) return job.invoke(closed_now_(closed_clock_));
      if (sleeping_ && delegate_ != nullptr) {
        job.invoke(delegate_->begin_job());
        if (delegate_->must_wake()) wake();
        return;
      }
      if (jobs_.push(&job)) {
        if (sleeping_) wake();
        break;
      }
    }
    std::this_thread::sleep_for(kNap);
  }
  for (int tries = 0; !job.done(); ++tries) {
    if (tries < kSpins) {
      _mm_pause();
    } else if (tries < kSpins + kYields) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(kNap);
    }
  }
}

void Mailbox::sleep(Duration bound, Delegate* delegate) {
  {
    const std::lock_guard lock(producers_);
    if (!jobs_.empty()) return;
    sleeping_ = true;
    delegate_ = delegate;
  }
  pollfd waiting{event_fd_, POLLIN, 0};
  const Duration capped = std::clamp(bound, Duration{0}, kLongestSleep);
  const timespec timeout{0, static_cast<long>(capped.ns)};
  const bool woken = ppoll(&waiting, 1, &timeout, nullptr) > 0;
  const std::lock_guard lock(producers_);
  sleeping_ = false;
  std::uint64_t events = 0;
  if (woken) (void)!read(event_fd_, &events, sizeof events);
}

void Mailbox::close(TimePoint (*now)(const void* clock), const void* clock) {
  const std::lock_guard lock(producers_);
  closed_ = true;
  closed_now_ = now;
  closed_clock_ = clock;
  while (poll(now(clock)) > 0) {
  }
}

}  // namespace drip::datapath
