// SPDX-License-Identifier: BSD-3-Clause
// Admission by name: one place for one id, places that are exact, memory that is bounded.
#include "control/requests/request_registry.h"

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

class RequestRegistryTest : public testing::Test {
 protected:
  std::shared_ptr<RequestQueue> make_bucket(const BucketSettings& settings) {
    BucketChange change{std::nullopt, settings};
    EXPECT_TRUE(engine_.apply(std::span(&change, 1)).ok());
    ref_ = *change.ref;
    return registry_.make_queue(ref_);
  }
  ~RequestRegistryTest() override { (void)engine_.drain_and_stop({}); }

  FakeEngine engine_;
  RequestRegistry registry_{engine_, 10'000};
  BucketRef ref_;
};

TEST_F(RequestRegistryTest, TheSameIdKeepsItsPlaceAndIsNotChargedTwice) {
  const auto queue = make_bucket({.capacity = 10, .units_per_second = 10});
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_FALSE(registry_.admit(*queue, id, 0, Departure::kAtEnd)->duplicate);
  }
  const auto again = registry_.admit(*queue, "c", 0, Departure::kAtEnd);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->request_id, "c");
  EXPECT_EQ(again->admission.position, 3U);
  EXPECT_EQ(again->admission.wait.ns, 200'000'000);
  EXPECT_EQ(engine_.read(ref_).admitted, 3U);

  engine_.advance(Duration{150'000'000});
  const auto later = registry_.admit(*queue, "c", 0, Departure::kAtEnd);
  EXPECT_EQ(later->admission.position, 2U);
  EXPECT_EQ(later->admission.wait.ns, 50'000'000);

  engine_.advance(kSecond);
  const auto anew = registry_.admit(*queue, "c", 0, Departure::kAtEnd);
  EXPECT_FALSE(anew->duplicate) << "it had left";
  EXPECT_EQ(engine_.read(ref_).admitted, 4U);
}

TEST_F(RequestRegistryTest, ARejectedIdIsNotRemembered) {
  const auto queue = make_bucket({.capacity = 1, .units_per_second = 10});
  EXPECT_EQ(registry_.admit(*queue, "a", 0, Departure::kAtEnd)->admission.position, 1U);
  const auto rejected = registry_.admit(*queue, "b", 0, Departure::kAtEnd);
  EXPECT_EQ(rejected->admission.reason, RejectReason::kFull);
  EXPECT_FALSE(rejected->request);
  EXPECT_EQ(registry_.outstanding(), 1U);
  engine_.advance(kSecond);
  EXPECT_EQ(registry_.admit(*queue, "b", 0, Departure::kAtEnd)->admission.position, 1U);
}

TEST_F(RequestRegistryTest, MakesUpIdsThatDiffer) {
  const auto queue = make_bucket({.capacity = 10, .units_per_second = 10});
  const auto first = registry_.admit(*queue, "", 0, Departure::kAtEnd);
  const auto second = registry_.admit(*queue, "", 0, Departure::kAtEnd);
  EXPECT_NE(first->request_id, "");
  EXPECT_NE(first->request_id, second->request_id);
  EXPECT_TRUE(registry_.admit(*queue, first->request_id, 0, Departure::kAtEnd)->duplicate);
}

TEST_F(RequestRegistryTest, IsBoundedAndStillAnswersForThoseThatWait) {
  RequestRegistry small(engine_, 2);
  const auto settings = BucketSettings{.capacity = 10, .units_per_second = 10};
  BucketChange change{std::nullopt, settings};
  ASSERT_TRUE(engine_.apply(std::span(&change, 1)).ok());
  const auto queue = small.make_queue(*change.ref);
  EXPECT_TRUE(small.admit(*queue, "a", 0, Departure::kAtEnd).ok());
  EXPECT_TRUE(small.admit(*queue, "b", 0, Departure::kAtEnd).ok());
  const auto refused = small.admit(*queue, "c", 0, Departure::kAtEnd);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(message_of(refused.status()),
            joined("request_id: 2 requests wait on this node, as many as it may hold; one more "
                   "would take ",
                   sizeof(Request), " bytes"));
  EXPECT_EQ(small.admit(*queue, "b", 0, Departure::kAtEnd)->admission.position, 2U);
  // Gone, though nobody swept.
  engine_.advance(kSecond);
  EXPECT_TRUE(small.admit(*queue, "c", 0, Departure::kAtEnd).ok());
  engine_.advance(kSecond);
}

TEST_F(RequestRegistryTest, TheSweepTakesBackWhatAnIdleBucketHeld) {
  const auto queue = make_bucket({.capacity = 10'000, .units_per_second = 1e6});
  for (int i = 0; i < 5000; ++i) {
    ASSERT_TRUE(registry_.admit(*queue, "", 0, Departure::kAtEnd).ok());
  }
  const std::size_t full = registry_.memory_bytes();
  registry_.sweep();
  EXPECT_EQ(registry_.outstanding(), 5000U);
  engine_.advance(kSecond);
  registry_.sweep();
  EXPECT_EQ(registry_.outstanding(), 0U);
  EXPECT_LT(registry_.memory_bytes() * 8, full);
  // And is swept again after it was used again.
  ASSERT_TRUE(registry_.admit(*queue, "", 0, Departure::kAtEnd).ok());
  engine_.advance(kSecond);
  registry_.sweep();
  EXPECT_EQ(registry_.outstanding(), 0U);
}

TEST_F(RequestRegistryTest, TheSweepOutlivesTheBucket) {
  auto queue = make_bucket({.capacity = 10, .units_per_second = 1});
  ASSERT_TRUE(registry_.admit(*queue, "a", 0, Departure::kAtEnd).ok());
  EXPECT_EQ(engine_.remove(ref_, false).draining, 1U);
  queue.reset();
  registry_.sweep();
  EXPECT_EQ(registry_.outstanding(), 1U);
  engine_.advance(kSecond);
  registry_.sweep();
  EXPECT_EQ(registry_.outstanding(), 0U);
}

TEST_F(RequestRegistryTest, ReleaseMovesThoseBehindUp) {
  const auto queue = make_bucket({.capacity = 10, .units_per_second = 10});
  std::map<std::string, RequestHandle> held;
  for (const char* id : {"a", "b", "c", "d"}) {
    held[id] = registry_.admit(*queue, id, 0, Departure::kAtEnd)->request;
  }
  queue->release(*held["c"]);
  EXPECT_EQ(registry_.admit(*queue, "b", 0, Departure::kAtEnd)->admission.position, 2U);
  EXPECT_EQ(registry_.admit(*queue, "d", 0, Departure::kAtEnd)->admission.position, 3U);
  EXPECT_FALSE(registry_.admit(*queue, "c", 0, Departure::kAtEnd)->duplicate) << "its id is free";
  queue->release(*held["c"]);  // Gone: nothing.
  EXPECT_EQ(engine_.read(ref_).backlog, 4U);
}

TEST_F(RequestRegistryTest, ListsFromAnyPlaceOn) {
  const auto queue = make_bucket({.capacity = 100, .units_per_second = 10});
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(registry_.admit(*queue, "r" + std::to_string(i), 0, Departure::kAtEnd).ok());
  }
  const auto first = queue->list(0, 20, Departure::kAtEnd);
  ASSERT_EQ(first.size(), 20U);
  EXPECT_EQ(first[0].request_id, "r0");
  EXPECT_EQ(first[19].place.position, 20U);
  EXPECT_EQ(first[19].place.wait.ns, 1'900'000'000);
  engine_.advance(Duration{3 * kSecond.ns});  // 30 leave: the cursor points before the head.
  const auto second = queue->list(first.back().sequence + 1, 100, Departure::kAtEnd);
  ASSERT_EQ(second.size(), 20U);
  EXPECT_EQ(second[0].request_id, "r30");
  EXPECT_EQ(second[0].place.position, 1U);
  EXPECT_EQ(second[0].place.wait.ns, 0);
  EXPECT_TRUE(queue->list(1000, 100, Departure::kAtEnd).empty());
  EXPECT_TRUE(queue->list(~0ULL, 100, Departure::kAtEnd).empty());
}

struct Discipline {
  const char* name;
  BucketSettings settings;
};

class RandomPlaces : public testing::TestWithParam<std::tuple<Discipline, unsigned>> {};

// The O(1) figures against those that brute force finds in the queue itself.
TEST_P(RandomPlaces, AreWhatTheQueueSays) {
  const auto& [discipline, seed] = GetParam();
  const BucketSettings& settings = discipline.settings;
  std::mt19937 random(seed);
  FakeEngine engine;
  RequestRegistry registry(engine, 10'000);
  BucketChange change{std::nullopt, settings};
  ASSERT_TRUE(engine.apply(std::span(&change, 1)).ok());
  const BucketRef ref = *change.ref;
  const auto queue = registry.make_queue(ref);
  const bool has_bytes = settings.bits_per_second > 0;
  // With a head whose size is unknown the wait is an estimate; see place_of().
  const bool has_packets = !(has_bytes && settings.departure == Departure::kAtEnd);
  std::vector<RequestHandle> held;
  for (int step = 0; step < 3000; ++step) {
    const std::uint32_t bytes = has_bytes ? 1 + random() % 1500 : 0;
    switch (random() % 6) {
      case 0:
      case 1: {
        const auto ticket = registry.admit(*queue, "", bytes, settings.departure);
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
    std::erase_if(held, [](const RequestHandle& request) { return request->record.gone(); });
    if (held.empty()) continue;
    const Request& asked = *held[random() % held.size()];
    const auto told = registry.admit(*queue, asked.id, 1, settings.departure);
    ASSERT_TRUE(told->duplicate);
    const Admission truth = engine.place_of(ref, asked.record);
    ASSERT_EQ(told->admission.position, truth.position) << discipline.name << " step " << step;
    // Rounding of the fine point to whole nanoseconds.
    ASSERT_NEAR(static_cast<double>(told->admission.wait.ns), static_cast<double>(truth.wait.ns), 2)
        << discipline.name << " step " << step;
  }
  held.clear();
  (void)engine.drain_and_stop({});
  registry.sweep();
  EXPECT_EQ(registry.outstanding(), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Disciplines, RandomPlaces,
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

TEST_F(RequestRegistryTest, CallsAtOneTimeWithOneIdAdmitOnce) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 300;
  const auto queue = make_bucket({.capacity = 100'000, .units_per_second = 1});
  engine_.before_admit = [] { std::this_thread::yield(); };
  std::atomic<int> admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        const auto ticket = registry_.admit(*queue, "id" + std::to_string(i), 0, Departure::kAtEnd);
        ASSERT_TRUE(ticket.ok());
        if (!ticket->duplicate) ++admitted;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(admitted, kRounds);
  EXPECT_EQ(engine_.read(ref_).admitted, static_cast<std::uint64_t>(kRounds));
  EXPECT_EQ(registry_.outstanding(), static_cast<std::size_t>(kRounds));
}

TEST_F(RequestRegistryTest, AdmissionReleaseSweepAndTimeAtOnce) {
  const auto queue = make_bucket({.capacity = 200, .units_per_second = 1e6});
  std::atomic<bool> done{false};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < 4000; ++i) {
        const auto ticket =
            registry_.admit(*queue, "id" + std::to_string(random() % 300), 0, Departure::kAtEnd);
        ASSERT_TRUE(ticket.ok());
        if (ticket->request && random() % 4 == 0) queue->release(*ticket->request);
        if (i % 100 == 0) (void)queue->list(0, 50, Departure::kAtEnd);
      }
    });
  }
  std::thread other([&] {
    while (!done) {
      engine_.advance(Duration{20'000});
      registry_.sweep();
    }
  });
  for (std::thread& thread : threads) thread.join();
  done = true;
  other.join();
  engine_.advance(kSecond);
  registry_.sweep();
  EXPECT_EQ(registry_.outstanding(), 0U);
  const BucketStats reading = engine_.read(ref_);
  EXPECT_EQ(reading.admitted, reading.departed + reading.dropped);
}

}  // namespace
}  // namespace drip::control
