// SPDX-License-Identifier: BSD-3-Clause
// Admission by id: one position for one id, positions that are exact, memory that is bounded.
#include "control/requests/local_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "control/support/fake_engine.h"

namespace drip::control {
namespace {

constexpr Duration kSecond{1'000'000'000};

class LocalQueueTest : public testing::Test {
 protected:
  std::shared_ptr<LocalQueue> make_bucket(const BucketSettings& settings) {
    BucketChange change{std::nullopt, settings};
    EXPECT_TRUE(engine_.apply(std::span(&change, 1)).ok());
    ref_ = *change.ref;
    return std::make_shared<LocalQueue>(engine_, pool_, ref_);
  }
  ~LocalQueueTest() override { (void)engine_.drain_and_stop({}); }

  FakeEngine engine_;
  RequestPool pool_{10'000};
  BucketRef ref_;
};

TEST_F(LocalQueueTest, TheSameIdKeepsItsPositionAndIsNotChargedTwice) {
  const auto queue = make_bucket({.capacity = 10, .units_per_second = 10});
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_FALSE(queue->admit(id, 0, Departure::kAtEnd)->ticket.duplicate);
  }
  const auto again = queue->admit("c", 0, Departure::kAtEnd);
  EXPECT_TRUE(again->ticket.duplicate);
  EXPECT_EQ(again->ticket.request_id, "c");
  EXPECT_EQ(again->ticket.admission.position, 3U);
  EXPECT_EQ(again->ticket.admission.wait.ns, 200'000'000);
  EXPECT_EQ(engine_.read(ref_).admitted, 3U);

  engine_.advance(Duration{150'000'000});
  const auto later = queue->admit("c", 0, Departure::kAtEnd);
  EXPECT_EQ(later->ticket.admission.position, 2U);
  EXPECT_EQ(later->ticket.admission.wait.ns, 50'000'000);

  engine_.advance(kSecond);
  const auto anew = queue->admit("c", 0, Departure::kAtEnd);
  EXPECT_FALSE(anew->ticket.duplicate) << "it had left";
  EXPECT_EQ(engine_.read(ref_).admitted, 4U);
}

TEST_F(LocalQueueTest, ARejectedIdIsNotRemembered) {
  const auto queue = make_bucket({.capacity = 1, .units_per_second = 10});
  EXPECT_EQ(queue->admit("a", 0, Departure::kAtEnd)->ticket.admission.position, 1U);
  const auto rejected = queue->admit("b", 0, Departure::kAtEnd);
  EXPECT_EQ(rejected->ticket.admission.reason, RejectReason::kFull);
  EXPECT_FALSE(rejected->request);
  EXPECT_EQ(pool_.outstanding(), 1U);
  engine_.advance(kSecond);
  EXPECT_EQ(queue->admit("b", 0, Departure::kAtEnd)->ticket.admission.position, 1U);
}

TEST_F(LocalQueueTest, MakesUpIdsThatDiffer) {
  const auto queue = make_bucket({.capacity = 10, .units_per_second = 10});
  const auto first = queue->admit("", 0, Departure::kAtEnd);
  const auto second = queue->admit("", 0, Departure::kAtEnd);
  EXPECT_NE(first->ticket.request_id, "");
  EXPECT_NE(first->ticket.request_id, second->ticket.request_id);
  EXPECT_TRUE(queue->admit(first->ticket.request_id, 0, Departure::kAtEnd)->ticket.duplicate);
}

TEST_F(LocalQueueTest, IsBoundedAndStillAnswersForThoseThatWait) {
  RequestPool small(2);
  const auto settings = BucketSettings{.capacity = 10, .units_per_second = 10};
  BucketChange change{std::nullopt, settings};
  ASSERT_TRUE(engine_.apply(std::span(&change, 1)).ok());
  const auto queue = std::make_shared<LocalQueue>(engine_, small, *change.ref);
  EXPECT_TRUE(queue->admit("a", 0, Departure::kAtEnd).ok());
  EXPECT_TRUE(queue->admit("b", 0, Departure::kAtEnd).ok());
  const auto refused = queue->admit("c", 0, Departure::kAtEnd);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(message_of(refused.status()),
            joined("request_id: 2 requests wait on this node, as many as it may hold; one more "
                   "would take ",
                   sizeof(Request), " bytes"));
  EXPECT_EQ(queue->admit("b", 0, Departure::kAtEnd)->ticket.admission.position, 2U);
  // They have left, though nobody swept.
  engine_.advance(kSecond);
  EXPECT_TRUE(queue->admit("c", 0, Departure::kAtEnd).ok());
  engine_.advance(kSecond);
}

TEST_F(LocalQueueTest, TheSweepTakesBackWhatAnIdleBucketHeld) {
  const auto queue = make_bucket({.capacity = 10'000, .units_per_second = 1e6});
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(queue->admit("", 0, Departure::kAtEnd).ok());
  }
  const std::size_t full = pool_.memory_bytes();
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 5000U);
  engine_.advance(kSecond);
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 0U);
  EXPECT_LT(pool_.memory_bytes() * 8, full);
  // And is swept again after it was used again.
  ASSERT_TRUE(queue->admit("", 0, Departure::kAtEnd).ok());
  engine_.advance(kSecond);
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 0U);
}

TEST_F(LocalQueueTest, TheSweepOutlivesTheBucket) {
  auto queue = make_bucket({.capacity = 10, .units_per_second = 1});
  ASSERT_TRUE(queue->admit("a", 0, Departure::kAtEnd).ok());
  EXPECT_EQ(engine_.remove(ref_, false).draining, 1U);
  queue.reset();
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 1U);
  engine_.advance(kSecond);
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 0U);
}

TEST_F(LocalQueueTest, ReleaseMovesThoseBehindUp) {
  const auto queue = make_bucket({.capacity = 10, .units_per_second = 10});
  std::map<std::string, RequestHandle> held;
  for (const char* id : {"a", "b", "c", "d"}) {
    held[id] = queue->admit(id, 0, Departure::kAtEnd)->request;
  }
  queue->release(*held["c"]);
  EXPECT_EQ(queue->admit("b", 0, Departure::kAtEnd)->ticket.admission.position, 2U);
  EXPECT_EQ(queue->admit("d", 0, Departure::kAtEnd)->ticket.admission.position, 3U);
  EXPECT_FALSE(queue->admit("c", 0, Departure::kAtEnd)->ticket.duplicate) << "its id is free";
  queue->release(*held["c"]);  // It has ended: nothing.
  EXPECT_EQ(engine_.read(ref_).backlog, 4U);
}

TEST_F(LocalQueueTest, ListsFromAnySequenceOn) {
  const auto queue = make_bucket({.capacity = 100, .units_per_second = 10});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(queue->admit("r" + std::to_string(i), 0, Departure::kAtEnd).ok());
  }
  const auto first = queue->list(0, 20, Departure::kAtEnd);
  ASSERT_EQ(first.requests.size(), 20U);
  EXPECT_EQ(first.requests[0].request_id, "r0");
  EXPECT_EQ(first.requests[19].position.position, 20U);
  EXPECT_EQ(first.requests[19].position.wait.ns, 1'900'000'000);
  engine_.advance(Duration{3 * kSecond.ns});  // 30 leave: the cursor points before the head.
  const auto second = queue->list(*first.next, 100, Departure::kAtEnd);
  ASSERT_EQ(second.requests.size(), 20U);
  EXPECT_EQ(second.requests[0].request_id, "r30");
  EXPECT_EQ(second.requests[0].position.position, 1U);
  EXPECT_EQ(second.requests[0].position.wait.ns, 0);
  EXPECT_TRUE(queue->list(1000, 100, Departure::kAtEnd).requests.empty());
  EXPECT_TRUE(queue->list(~0ULL, 100, Departure::kAtEnd).requests.empty());
}

struct Discipline {
  const char* name;
  BucketSettings settings;
};

class RandomPositions : public testing::TestWithParam<std::tuple<Discipline, unsigned>> {};

// The O(1) figures against those that brute force finds in the queue itself.
TEST_P(RandomPositions, AreWhatTheQueueSays) {
  const auto& [discipline, seed] = GetParam();
  const BucketSettings& settings = discipline.settings;
  std::mt19937 random(seed);
  FakeEngine engine;
  RequestPool pool(10'000);
  BucketChange change{std::nullopt, settings};
  ASSERT_TRUE(engine.apply(std::span(&change, 1)).ok());
  const BucketRef ref = *change.ref;
  const auto queue = std::make_shared<LocalQueue>(engine, pool, ref);
  const bool has_bytes = settings.bits_per_second > 0;
  // With a head whose size is unknown the wait is an estimate; see RequestIndex::position().
  const bool has_packets = !(has_bytes && settings.departure == Departure::kAtEnd);
  std::vector<RequestHandle> held;
  for (int step = 0; step < 3000; ++step) {
    const std::uint32_t bytes = has_bytes ? 1 + random() % 1500 : 0;
    switch (random() % 6) {
      case 0:
      case 1: {
        const auto ticket = queue->admit("", bytes, settings.departure);
        ASSERT_TRUE(ticket.ok());
        if (ticket->request) held.push_back(ticket->request);
        break;
      }
      case 2:
        if (has_packets) engine.offer_packet(ref, bytes);
        break;
      case 3:
        engine.advance(Duration{static_cast<std::int64_t>(random() % 150'000'000)});
        break;
      case 4:
        if (!held.empty()) queue->release(*held[random() % held.size()]);
        break;
      default:
        break;
    }
    std::erase_if(held, [](const RequestHandle& request) { return request->record.ended(); });
    if (held.empty()) continue;
    const Request& asked = *held[random() % held.size()];
    const auto told = queue->admit(asked.id, 1, settings.departure);
    ASSERT_TRUE(told->ticket.duplicate);
    const Admission truth = engine.place_of(ref, asked.record);
    ASSERT_EQ(told->ticket.admission.position, truth.position)
        << discipline.name << " step " << step;
    // Rounding of the fine point to whole nanoseconds.
    ASSERT_NEAR(static_cast<double>(told->ticket.admission.wait.ns),
                static_cast<double>(truth.wait.ns), 2)
        << discipline.name << " step " << step;
  }
  held.clear();
  (void)engine.drain_and_stop({});
  pool.sweep();
  EXPECT_EQ(pool.outstanding(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Disciplines, RandomPositions,
    testing::Combine(
        testing::Values(
            Discipline{"units at end", {.capacity = 500, .units_per_second = 7}},
            Discipline{"units at start",
                       {.capacity = 500, .units_per_second = 7, .departure = Departure::kAtStart}},
            Discipline{
                "bits at start",
                {.capacity = 500, .bits_per_second = 40'000, .departure = Departure::kAtStart}},
            Discipline{"bits at end", {.capacity = 500, .bits_per_second = 40'000}}),
        testing::Range(1U, 5U)));

TEST_F(LocalQueueTest, CallsAtOneTimeWithOneIdAdmitOnce) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 300;
  const auto queue = make_bucket({.capacity = 100'000, .units_per_second = 1});
  engine_.before_admit = [] { std::this_thread::yield(); };
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        const auto ticket = queue->admit("id" + std::to_string(i), 0, Departure::kAtEnd);
        ASSERT_TRUE(ticket.ok());
        if (!ticket->ticket.duplicate) ++admitted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, kRounds);
  EXPECT_EQ(engine_.read(ref_).admitted, static_cast<std::uint64_t>(kRounds));
  EXPECT_EQ(pool_.outstanding(), static_cast<std::size_t>(kRounds));
}

TEST_F(LocalQueueTest, AdmissionReleaseSweepAndTimeAtOnce) {
  const auto queue = make_bucket({.capacity = 200, .units_per_second = 1e6});
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 4000; ++i) {
        const auto ticket =
            queue->admit("id" + std::to_string(random() % 300), 0, Departure::kAtEnd);
        ASSERT_TRUE(ticket.ok());
        if (ticket->request && random() % 4 == 0) queue->release(*ticket->request);
        if (i % 100 == 0) (void)queue->list(0, 50, Departure::kAtEnd);
      }
    });
  }
  std::thread other([&] {
    while (!done) {
      engine_.advance(Duration{20'000});
      pool_.sweep();
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  other.join();
  engine_.advance(kSecond);
  pool_.sweep();
  EXPECT_EQ(pool_.outstanding(), 0U);
  const BucketStats reading = engine_.read(ref_);
  EXPECT_EQ(reading.admitted, reading.departed + reading.dropped);
}

}  // namespace
}  // namespace drip::control
