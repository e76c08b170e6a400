// SPDX-License-Identifier: BSD-3-Clause
// One thread that finds out for all callers of AwaitTurn when their requests have left.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "control/requests/local_queue.h"
#include "control/requests/request_pool.h"

namespace drip::control {

/// One caller's wait. The watch keeps it until it ends.
class Turn {
 public:
  Turn() = default;
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  virtual ~Turn() = default;

  /// The request has ended: its record says how. Called once, by the watch's thread, which holds no
  /// lock; must not block.
  virtual void finish(const RequestRecord& record) = 0;
  /// The node stops before the request's turn. As finish().
  virtual void give_up() = 0;

 private:
  friend class TurnWatch;
  struct BySequence {
    bool operator()(std::uint32_t a, std::uint32_t b) const {
      return static_cast<std::int32_t>(a - b) < 0;
    }
  };
  using InOrder = std::multimap<std::uint32_t, std::shared_ptr<Turn>, BySequence>;

  RequestHandle request_;
  TimePoint expected_;  // When it will leave, if nothing changes.
  std::shared_ptr<LocalQueue> queue_;
  std::optional<InOrder::iterator> entry_;  // The watch's lock guards it.
};

/// Polls the records, since the polling threads of the data path wake nobody. Requests of a bucket
/// leave in order, so only the first of each bucket is looked at: about every 100 us when it may
/// leave at any moment, and every 5 ms while it is known to be far from its turn (a change of rate
/// may bring it nearer). The thread sleeps while nobody waits, and takes a tenth of a CPU at most.
class TurnWatch {
 public:
  explicit TurnWatch(Engine& engine);
  ~TurnWatch();
  TurnWatch(const TurnWatch&) = delete;
  TurnWatch& operator=(const TurnWatch&) = delete;

  /// Begins to watch. `expected` is when the request will leave if nothing changes. False if the
  /// watch was stopped: the turn will not be finished. Thread safe.
  [[nodiscard]] bool watch(std::shared_ptr<Turn> turn, std::shared_ptr<LocalQueue> queue,
                           RequestHandle request, TimePoint expected);
  /// True: the turn is not watched any more and will not be finished. False: it was or is being
  /// finished. Thread safe.
  [[nodiscard]] bool withdraw(Turn& turn);
  /// Requests of this queue may have left out of order: one was released. Thread safe.
  void look_at_all_of(const LocalQueue& queue);

  /// Gives every turn up and ends the thread; watch() refuses from then on. Does nothing the second
  /// time. Not at one time with itself.
  void stop();

 private:
  using Clock = std::chrono::steady_clock;
  struct Watched {
    Turn::InOrder turns;
    Clock::time_point next_look;
    bool all_at_once = false;
  };
  using Turns = std::vector<std::shared_ptr<Turn>>;

  void run();
  // Removes and returns those whose requests have ended.
  [[nodiscard]] Turns collect(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void collect_from(Watched& watched, Turns& ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] Clock::duration time_to_next_look(const Watched& watched) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Engine& engine_;
  Mutex mutex_;
  Condition changed_;
  std::map<const LocalQueue*, Watched> queues_ ABSL_GUARDED_BY(mutex_);  // Each with turns.
  Clock::time_point wakes_ ABSL_GUARDED_BY(mutex_) = Clock::time_point::max();
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::control
