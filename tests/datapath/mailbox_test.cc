// SPDX-License-Identifier: BSD-3-Clause
// The mailbox: which thread runs a job while the polling thread polls, sleeps, or delegates.
#include "datapath/mailbox.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace drip::datapath {
namespace {

constexpr Duration kLong{100'000'000};

// A polling thread whose jobs are counted without an atomic: the mailbox must exclude all others.
class Poller final : private Mailbox::Delegate {
 public:
  explicit Poller(bool delegates) : thread_([this, delegates] { run(delegates); }) {
    while (!asleep_) std::this_thread::yield();
    // A few instructions more, and it sleeps.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ~Poller() {
    mailbox.run([this](TimePoint) { stop_ = wakes_ = true; });
    thread_.join();
  }

  Mailbox mailbox;
  std::uint64_t jobs = 0;
  int delegated = 0;
  std::atomic<int> woken{0};
  std::atomic<bool> wakes_{false};

  [[nodiscard]] std::thread::id id() const { return thread_.get_id(); }

 private:
  void run(bool delegates) {
    while (!stop_) {
      if (mailbox.poll(TimePoint{7}) > 0) continue;
      asleep_ = true;
      mailbox.sleep(kLong, delegates ? this : nullptr);
      ++woken;
    }
  }
  TimePoint begin_job() override {
    ++delegated;
    return TimePoint{8};
  }
  bool must_wake() override { return wakes_; }

  std::atomic<bool> stop_{false};
  std::atomic<bool> asleep_{false};
  std::thread thread_;
};

TEST(Mailbox, AJobWakesASleepingThreadThatDoesNotDelegate) {
  Poller poller(false);
  std::thread::id ran_on;
  TimePoint time;
  poller.mailbox.run([&](TimePoint now) {
    ran_on = std::this_thread::get_id();
    time = now;
  });
  EXPECT_EQ(ran_on, poller.id());
  EXPECT_EQ(time, TimePoint{7});
}

TEST(Mailbox, TheCallerRunsTheJobOfASleepingThreadThatDelegates) {
  Poller poller(true);
  // 100 ms at a time: between two sleeps the polling thread may take a job itself.
  bool delegated = false;
  for (int i = 0; i < 100 && !delegated; ++i) {
    const int woken = poller.woken;
    std::thread::id ran_on;
    TimePoint time;
    poller.mailbox.run([&](TimePoint now) {
      ran_on = std::this_thread::get_id();
      time = now;
    });
    delegated = ran_on == std::this_thread::get_id();
    if (!delegated) continue;
    EXPECT_EQ(time, TimePoint{8}) << "the time comes from begin_job()";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // The job woke no thread; a sleep may have ended by itself.
    EXPECT_LE(poller.woken, woken + 1);
  }
  EXPECT_TRUE(delegated);
  EXPECT_GT(poller.delegated, 0);
}

TEST(Mailbox, AThreadThatWouldSleepTooLongIsWoken) {
  Poller poller(true);
  poller.wakes_ = true;
  const int woken = poller.woken;
  constexpr int kJobs = 50;
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < kJobs; ++i) {
    const int before = poller.woken;
    poller.mailbox.run([](TimePoint) {});
    while (poller.woken == before) std::this_thread::yield();
  }
  EXPECT_GE(poller.woken, woken + kJobs);
  // Each would have slept for 100 ms otherwise.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::milliseconds(100 * kJobs / 2));
}

// For the thread sanitizer: the lock orders the accesses of callers and polling thread.
TEST(Mailbox, ManyCallersAndASleeperTakeTurns) {
  constexpr int kCallers = 4;
  constexpr int kJobsEach = 5000;
  Poller poller(true);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&poller, caller] {
      for (int i = 0; i < kJobsEach; ++i) {
        poller.wakes_ = (i + caller) % 7 == 0;
        poller.mailbox.run([&poller](TimePoint) { ++poller.jobs; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  std::uint64_t jobs = 0;
  poller.mailbox.run([&](TimePoint) { jobs = poller.jobs; });
  EXPECT_EQ(jobs, std::uint64_t{kCallers} * kJobsEach);
}

TEST(Mailbox, AfterCloseJobsRunOnTheirCallersThread) {
  Mailbox mailbox;
  mailbox.close([](const void*) { return TimePoint{9}; }, nullptr);
  EXPECT_EQ(mailbox.run([](TimePoint now) { return now; }), TimePoint{9});
}

}  // namespace
}  // namespace drip::datapath
