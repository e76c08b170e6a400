// SPDX-License-Identifier: BSD-3-Clause
// How control has something done on a polling thread, without ever making it wait.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <utility>

#include "drip/spsc_ring.h"
#include "drip/time.h"

namespace drip::datapath {

/// One a polling thread. Callers post a function and wait for its end; the polling thread takes a
/// bounded number in each loop, busy or idle, and neither locks nor allocates for it: the call lies
/// on the caller's stack. Callers lock among themselves, and the polling thread takes their lock
/// only to sleep and to wake. After close() calls run on their caller's thread, one at a time,
/// since the polling thread has gone.
///
/// The idea is Gatekeeper's mailbox.
class Mailbox {
 public:
  /// What callers do in the place of a polling thread that sleeps, so that nobody is woken for a
  /// job: the lock hands all that the thread owns over to them, one at a time (flat combining,
  /// Hendler et al., SPAA 2010).
  class StandIn {
   public:
    /// Before the job: brings up to date what time alone has changed. Returns the present time.
    virtual TimePoint stand_in() = 0;
    /// After the job: the thread must be woken, for it would sleep too long now.
    virtual bool sleeps_too_long() = 0;

   protected:
    ~StandIn() = default;
  };

  Mailbox();
  ~Mailbox();
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  /// Any thread but the polling one. Runs function(TimePoint now) there; returns its result when it
  /// is done.
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

  /// Runs up to kJobsALoop jobs; returns how many.
  std::uint32_t poll(TimePoint now) {
    std::uint32_t done = 0;
    Job* job = nullptr;
    while (done < kJobsALoop && jobs_.pop(std::span<Job*>(&job, 1)) == 1) {
      job->invoke(now);
      ++done;
    }
    return done;
  }
  /// Sleeps until a job comes or `bound` has passed; at most 100 ms. With `stand_in` jobs wake
  /// nobody meanwhile, but run on their callers' threads.
  void sleep(Duration bound, StandIn* stand_in = nullptr);
  /// The last act of the polling thread. `now` is the time that later jobs are told.
  void close(TimePoint (*now)(const void* clock), const void* clock);

 private:
  static constexpr std::uint32_t kJobsALoop = 8;

  /// A function by address; the caller's stack holds it until `done_`.
  class Job {
   public:
    template <class Function>
    explicit Job(Function& function)
        : function_(&function),
          call_([](void* target, TimePoint now) { (*static_cast<Function*>(target))(now); }) {}
    void invoke(TimePoint now) {
      call_(function_, now);
      // The caller's stack may be gone right after this.
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
  StandIn* stand_in_ = nullptr;
  TimePoint (*closed_now_)(const void*) = nullptr;
  const void* closed_clock_ = nullptr;
  int event_fd_;
};

}  // namespace drip::datapath
