// SPDX-License-Identifier: BSD-3-Clause
// The turn watch's thread.
#include "control/requests/turn_watch.h"

#include <algorithm>
#include <utility>

#include "base/thread.h"

namespace drip::control {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kShortestLook{100'000};
constexpr nanoseconds kLongestLook{5'000'000};
// The pause after a look is at least so many times as long as the look was.
constexpr int kPauseFactor = 9;

}  // namespace

TurnWatch::TurnWatch(Engine& engine)
    : engine_(engine), thread_(start_thread("drip-turns", [this] { run(); })) {}

TurnWatch::~TurnWatch() { stop(); }

bool TurnWatch::watch(std::shared_ptr<Turn> turn, std::shared_ptr<LocalQueue> queue,
                      RequestHandle request, TimePoint expected) {
  const Clock::time_point now = Clock::now();
  MutexLock lock(mutex_);
  if (stopped_) return false;
  const std::uint32_t sequence = request->record.sequence;
  Turn& added = *turn;
  added.request_ = std::move(request);
  added.expected_ = expected;
  Watched& watched = queues_[queue.get()];
  added.queue_ = std::move(queue);
  added.entry_ = watched.turns.emplace(sequence, std::move(turn));
  if (*added.entry_ != watched.turns.begin()) return true;
  watched.next_look = now + time_to_next_look(watched);
  if (watched.next_look < wakes_) {
    wakes_ = watched.next_look;
    changed_.notify_one();
  }
  return true;
}

bool TurnWatch::withdraw(Turn& turn) {
  RequestHandle request;  // All three are released outside the lock.
  std::shared_ptr<LocalQueue> queue;
  std::shared_ptr<Turn> kept;
  MutexLock lock(mutex_);
  if (!turn.entry_) return false;
  queue = std::move(turn.queue_);
  request = std::move(turn.request_);
  kept = std::move((*turn.entry_)->second);
  const auto watched = queues_.find(queue.get());
  watched->second.turns.erase(*turn.entry_);
  turn.entry_.reset();
  if (watched->second.turns.empty()) queues_.erase(watched);
  return true;
}

void TurnWatch::look_at_all_of(const LocalQueue& queue) {
  MutexLock lock(mutex_);
  const auto watched = queues_.find(&queue);
  if (watched == queues_.end()) return;
  watched->second.all_at_once = true;
  watched->second.next_look = wakes_ = Clock::now();
  changed_.notify_one();
}

void TurnWatch::stop() {
  Turns left;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    for (auto& [queue, watched] : queues_) {
      for (auto& [sequence, turn] : watched.turns) {
        turn->entry_.reset();
        left.push_back(std::move(turn));
      }
    }
    queues_.clear();
    changed_.notify_one();
  }
  for (const std::shared_ptr<Turn>& turn : left) turn->give_up();
  if (thread_.joinable()) thread_.join();
}

TurnWatch::Clock::duration TurnWatch::time_to_next_look(const Watched& watched) const {
  const Duration left = watched.turns.begin()->second->expected_ - engine_.now();
  // Overdue, as after a change to a lower rate: less and less often, by a sixteenth of the delay.
  const nanoseconds pause{left.ns > 0 ? left.ns : -left.ns / 16};
  return std::clamp(pause, kShortestLook, kLongestLook);
}

void TurnWatch::collect_from(Watched& watched, Turns& ended) {
  const bool all_at_once = std::exchange(watched.all_at_once, false);
  for (auto next = watched.turns.begin(); next != watched.turns.end();) {
    Turn& turn = *next->second;
    if (turn.request_->record.ended()) {
      turn.entry_.reset();
      ended.push_back(std::move(next->second));
      next = watched.turns.erase(next);
    } else if (all_at_once) {
      ++next;
    } else {
      break;
    }
  }
}

TurnWatch::Turns TurnWatch::collect(Clock::time_point now) {
  Turns ended;
  wakes_ = now + kLongestLook;
  for (auto next = queues_.begin(); next != queues_.end();) {
    Watched& watched = next->second;
    if (watched.next_look <= now) {
      collect_from(watched, ended);
      if (watched.turns.empty()) {
        next = queues_.erase(next);
        continue;
      }
      watched.next_look = now + time_to_next_look(watched);
    }
    wakes_ = std::min(wakes_, watched.next_look);
    ++next;
  }
  return ended;
}

void TurnWatch::run() {
  for (;;) {
    const Clock::time_point began = Clock::now();
    Turns ended;
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      ended = collect(began);
    }
    for (const std::shared_ptr<Turn>& turn : ended) turn->finish(turn->request_->record);
    ended.clear();
    const Clock::duration look = Clock::now() - began;
    MutexLock lock(mutex_);
    if (stopped_) return;
    if (queues_.empty()) {
      wakes_ = Clock::time_point::max();
      changed_.wait(mutex_);
    } else if (const auto pause = std::max(wakes_ - Clock::now(), look * kPauseFactor);
               pause > Clock::duration::zero()) {
      changed_.wait_for(mutex_, pause);
    }
  }
}

}  // namespace drip::control
