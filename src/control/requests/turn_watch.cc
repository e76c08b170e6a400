// SPDX-License-Identifier: BSD-3-Clause
// The turn watch's thread.
#include "control/requests/turn_watch.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace drip::control {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kShortestLook{100'000};
constexpr nanoseconds kLongestLook{5'000'000};
// The pause after a look is at least so many times as long as the look was.
constexpr int kPauseFactor = 9;

}  // namespace

TurnWatch::TurnWatch(Engine& engine) : engine_(engine), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "drip-turns");
}

TurnWatch::~TurnWatch() { stop(); }

bool TurnWatch::watch(Turn& turn, std::shared_ptr<RequestQueue> queue, RequestHandle request,
                      TimePoint expected) {
  const Clock::time_point now = Clock::now();
  MutexLock lock(mutex_);
  if (stopped_) return false;
  const std::uint32_t sequence = request->record.sequence;
  turn.request_ = std::move(request);
  turn.expected_ = expected;
  Watched& watched = queues_[queue.get()];
  turn.queue_ = std::move(queue);
  turn.spot_ = watched.line.emplace(sequence, &turn);
  if (*turn.spot_ != watched.line.begin()) return true;
  watched.next_look = now + time_to_next_look(watched);
  if (watched.next_look < wakes_) {
    wakes_ = watched.next_look;
    changed_.notify_one();
  }
  return true;
}

bool TurnWatch::withdraw(Turn& turn) {
  RequestHandle request;  // Both are let go outside the lock.
  std::shared_ptr<RequestQueue> queue;
  MutexLock lock(mutex_);
  if (!turn.spot_) return false;
  queue = std::move(turn.queue_);
  const auto watched = queues_.find(queue.get());
  watched->second.line.erase(*turn.spot_);
  turn.spot_.reset();
  request = std::move(turn.request_);
  if (watched->second.line.empty()) queues_.erase(watched);
  return true;
}

void TurnWatch::look_at_all_of(const RequestQueue& queue) {
  MutexLock lock(mutex_);
  const auto watched = queues_.find(&queue);
  if (watched == queues_.end()) return;
  watched->second.all_at_once = true;
  watched->second.next_look = wakes_ = Clock::now();
  changed_.notify_one();
}

void TurnWatch::stop() {
  std::vector<Turn*> left;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    for (auto& [queue, watched] : queues_) {
      for (auto& [sequence, turn] : watched.line) {
        turn->spot_.reset();
        left.push_back(turn);
      }
    }
    queues_.clear();
    changed_.notify_one();
  }
  for (Turn* const turn : left) {
    const RequestHandle request = std::move(turn->request_);
    turn->give_up();
  }
  if (thread_.joinable()) thread_.join();
}

std::size_t TurnWatch::watched() {
  MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [queue, watched] : queues_) count += watched.line.size();
  return count;
}

TurnWatch::Clock::duration TurnWatch::time_to_next_look(const Watched& watched) const {
  const Duration left = watched.line.begin()->second->expected_ - engine_.now();
  // Overdue, as after a change to a lower rate: less and less often, by a sixteenth of the delay.
  const nanoseconds pause{left.ns > 0 ? left.ns : -left.ns / 16};
  return std::clamp(pause, kShortestLook, kLongestLook);
}

void TurnWatch::collect_from(Watched& watched, std::vector<Turn*>& gone) {
  const bool all_at_once = std::exchange(watched.all_at_once, false);
  for (auto next = watched.line.begin(); next != watched.line.end();) {
    Turn* const turn = next->second;
    if (turn->request_->record.gone()) {
      turn->spot_.reset();
      gone.push_back(turn);
      next = watched.line.erase(next);
    } else if (all_at_once) {
      ++next;
    } else {
      break;
    }
  }
}

std::vector<Turn*> TurnWatch::collect(Clock::time_point now) {
  std::vector<Turn*> gone;
  wakes_ = now + kLongestLook;
  for (auto next = queues_.begin(); next != queues_.end();) {
    Watched& watched = next->second;
    if (watched.next_look <= now) {
      collect_from(watched, gone);
      if (watched.line.empty()) {
        next = queues_.erase(next);
        continue;
      }
      watched.next_look = now + time_to_next_look(watched);
    }
    wakes_ = std::min(wakes_, watched.next_look);
    ++next;
  }
  return gone;
}

void TurnWatch::run() {
  for (;;) {
    std::vector<Turn*> gone;
    const Clock::time_point began = Clock::now();
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      gone = collect(began);
    }
    for (Turn* const turn : gone) {
      // The turn may be gone after finish(), and its request must not be before.
      const RequestHandle request = std::move(turn->request_);
      turn->finish(request->record);
    }
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
