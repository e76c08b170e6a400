// SPDX-License-Identifier: BSD-3-Clause
// Lets control run functions on a polling thread without ever blocking that thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <utility>

#include "drip/spsc_ring.h"
#include "drip/time.h"

namespace drip::datapath {

/// One for each polling thread. A caller posts a function as a job and waits for its end. The
/// polling thread runs a bounded number of jobs in each loop, busy or idle, and neither locks nor
/// allocates for them: a job lies on its caller's stack. Callers lock among themselves; the polling
/// thread takes their lock only when it falls asleep and wakes. After close() jobs run on their
/// callers' threads, one at a time, because the polling thread has ended.
///
/// The design follows Gatekeeper's mailbox.
class Mailbox {
 public:
  /// Delegation: while the polling thread sleeps, callers run their jobs themselves instead of
  /// waking it. The lock gives the caller exclusive use of all that the thread owns (as in flat
  /// combining, Hendler et al., SPAA 2010). The polling thread implements this for its callers.
  class Delegate {
   public:
    /// Before the job: does what has become due since the thread fell asleep. Returns the present
    /// time.
    virtual TimePoint begin_job() = 0;
    /// After the job: whether the thread would now sleep too long and must be woken.
    virtual bool must_wake() = 0;

   protected:
    ~Delegate() = default;
  };

  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Any thread but the polling one. Runs function(TimePoint now) as a job and returns its result.
  template <class Function>
  auto run(Function&& function) {
    using Result = std::invoke_result_t<Function&, TimePoint>;
    if constexpr (std::is_void_v<Result>) {
      post_and_wait(Job(function));
    } else {
      Result result;
      auto keep_result = [&](TimePoint now) { result = function(now); };
      post_and_wait(Job(keep_result));
      return result;
    }
  }

  // ---- The polling thread

  /// Runs up to kJobsALoop jobs; returns the number.
  std::uint32_t poll(TimePoint now) {
    std::uint32_t done = 0;
    Job* job = nullptr;
    while (done < kJobsALoop && jobs_.pop(std::span<Job*>(&job, 1)) == 1) {
      job->invoke(now);
      ++done;
    }
    return done;
  }
  /// Sleeps until a job is posted or `bound` has passed; at most 100 ms. With `delegate`, jobs do
  /// not wake the thread but run on their callers' threads.
  void sleep(Duration bound, Delegate* delegate = nullptr);
  /// The last call of the polling thread. Later jobs get their time from `now(clock)`.
  void close(TimePoint (*now)(const void* clock), const void* clock);

 private:
  static constexpr std::uint32_t kJobsALoop = 8;

  /// The address of a function that lies on the caller's stack until `done_`.
  class Job {
   public:
    template <class Function>
    explicit Job(Function& function)
        : function_(&function),
          call_([](void* target, TimePoint now) { (*static_cast<Function*>(target))(now); }) {}
    void invoke(TimePoint now) {
      call_(function_, now);
      // From here on the caller may return, and this job no longer exist.
      done_.store(true, std::memory_order_release);
    }
    [[nodiscard]] bool done() const { return done_.load(std::memory_order_acquire); }

   private:
    void* function_;
    void (*call_)(void*, TimePoint);
    std::atomic<bool> done_{false};
  };

  void post_and_wait(Job job);
  void wake() const;

  SpscRing<Job*> jobs_{1024};
  std::mutex producers_;
  // All guarded by producers_.
  bool closed_ = false;
  bool sleeping_ = false;
  Delegate* delegate_ = nullptr;
  TimePoint (*closed_now_)(const void*) = nullptr;
  const void* closed_clock_ = nullptr;
  int event_fd_;
};

}  // namespace drip::datapath
