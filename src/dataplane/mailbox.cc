// SPDX-License-Identifier: BSD-3-Clause
// The callers' side of the mailbox, and the polling thread's sleep.
#include "dataplane/mailbox.h"

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

namespace drip::dataplane {
namespace {

// The polling thread usually answers within a microsecond. If it does not (it was asleep, or the
// machine held it up), give the processor to it rather than spin.
constexpr int kSpins = 200;
constexpr int kYields = 50;
constexpr std::chrono::microseconds kNap{20};

constexpr Duration kLongestSleep{100'000'000};

}  // namespace

Mailbox::Mailbox() : event_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_fd_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

Mailbox::~Mailbox() { ::close(event_fd_); }

void Mailbox::post_and_wait(Job job) {
  for (int tries = 0;; ++tries) {
    {
      const std::lock_guard lock(producers_);
      if (closed_) return job.invoke(closed_now_(closed_clock_));
      if (jobs_.push(&job)) break;
    }
    std::this_thread::sleep_for(kNap);
  }
  // Pairs with the fence in sleep(): either the polling thread sees the job or we see it asleep.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (sleeping_.load(std::memory_order_relaxed)) {
    const std::uint64_t one = 1;
    (void)!write(event_fd_, &one, sizeof one);
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

void Mailbox::sleep(Duration bound) {
  sleeping_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (jobs_.empty()) {
    pollfd waiting{event_fd_, POLLIN, 0};
    const Duration capped = std::clamp(bound, Duration{0}, kLongestSleep);
    const timespec timeout{0, static_cast<long>(capped.ns)};
    if (ppoll(&waiting, 1, &timeout, nullptr) > 0) {
      std::uint64_t events = 0;
      (void)!read(event_fd_, &events, sizeof events);
    }
  }
  sleeping_.store(false, std::memory_order_relaxed);
}

void Mailbox::close(TimePoint (*now)(const void* clock), const void* clock) {
  const std::lock_guard lock(producers_);
  closed_ = true;
  closed_now_ = now;
  closed_clock_ = clock;
  while (poll(now(clock)) > 0) {
  }
}

}  // namespace drip::dataplane
