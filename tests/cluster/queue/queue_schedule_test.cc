// SPDX-License-Identifier: BSD-3-Clause
// The exact bucket's script on a real Redis, at times that the test gives, against the schedule in
// C++.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <random>

#include "cluster/queue/queue_calls.h"
#include "cluster/redis/redis_link.h"
#include "drip/virtual_schedule.h"
#include "support/redis_server.h"

namespace drip::cluster {
namespace {

using control::SharedRequestStatus;
using control::SharedTicket;

// The bucket by its virtual schedule, in the plainest way.
class ReferenceQueue {
 public:
  ReferenceQueue(QueueBucket bucket, TimePoint now) : bucket_(std::move(bucket)), law_(now) {}

  void run_until(TimePoint now) {
    while (!waiting.empty() && law_.due() <= now) {
      const TimePoint due = law_.due();
      law_.depart(due, service(), bucket_.settings.departure, Duration{0});
      waiting.pop_front();
      ++departed;
      if (!waiting.empty()) law_.begin(waiting.front().arrival, service(), departure());
    }
  }
  std::uint64_t occupancy(TimePoint now) const {
    return waiting.size() + (departure() == Departure::kAtStart && law_.in_service(now) ? 1 : 0);
  }
  bool admit(const std::string& id, TimePoint now) {
    if (occupancy(now) >= bucket_.settings.capacity) return false;
    if (waiting.empty()) law_.begin(now, service(), departure());
    waiting.push_back({id, now});
    return true;
  }
  Duration wait_of(std::size_t rank, TimePoint now) const {
    FinePoint start = law_.departure_time();
    const std::size_t steps = departure() == Departure::kAtStart ? rank : rank - (rank > 0 ? 1 : 0);
    if (departure() == Departure::kAtEnd && rank == 0) return {};
    for (std::size_t i = 0; i < steps; ++i) start = start + service();
    return std::max(start.ceil() - now, Duration{});
  }
  void release(std::size_t rank, TimePoint now) {
    if (rank == 0 && departure() == Departure::kAtEnd) {
      if (waiting.size() == 1) {
        law_.give_up_head(now, service());
      } else {
        law_.replace_head(now, waiting[1].arrival, service(), service());
      }
    } else if (rank == 0 && waiting.size() > 1) {
      law_.begin(waiting[1].arrival, service(), Departure::kAtStart);
    }
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(rank));
  }
  void change(const QueueBucket& bucket, TimePoint now) {
    const FineSpan before = service();
    bucket_ = bucket;
    law_.rescale(now, before, service());
  }
  FineSpan service() const {
    const QueuePeriod period = QueuePeriod::of_rate(bucket_.settings.units_per_second);
    const std::uint64_t fraction = period.fraction * 1000;
    return {period.us * 1000 + (fraction >> 32), fraction << 32};
  }
  Departure departure() const { return bucket_.settings.departure; }

  struct Unit {
    std::string id;
    TimePoint arrival;
  };
  std::deque<Unit> waiting;
  std::uint64_t departed = 0;

 private:
  QueueBucket bucket_;
  VirtualSchedule law_;
};

class ExactLaw : public testing::Test {
 protected:
  static RedisOptions options(const RedisServer& redis) {
    RedisOptions result;
    result.url = *parse_redis_url(redis.url());
    return result;
  }
  RedisReply run(ScriptCall call) {
    call.arguments.push_back(std::to_string(now_us_));
    const auto reply = link_.scripts(std::span(&call, 1));
    EXPECT_TRUE(reply.ok()) << reply.status();
    if (!reply.ok()) return {};
    EXPECT_TRUE(status_of(reply->front()).ok()) << status_of(reply->front());
    return reply->front();
  }
  SharedTicket admit(const QueueBucket& bucket, const std::string& id) {
    return admit_units(bucket, {id, 1, false});
  }
  SharedTicket admit_units(const QueueBucket& bucket, const QueueUnits& units) {
    const auto tickets = tickets_of(run(calls_.admit(bucket, std::span(&units, 1), 0)));
    EXPECT_TRUE(tickets.ok()) << tickets.status();
    return tickets.ok() ? tickets->front() : SharedTicket{};
  }
  BucketStats read(const QueueBucket& bucket) {
    const auto reading = stats_of(run(calls_.read(bucket)), bucket);
    EXPECT_TRUE(reading.ok()) << reading.status();
    return reading->stats;
  }
  static QueueBucket bucket(double rate, std::uint32_t capacity,
                            Departure departure = Departure::kAtEnd) {
    return {"b",
            {.capacity = capacity, .units_per_second = rate, .departure = departure},
            1,
            Duration{50'000'000}};
  }

  RedisServer redis_;
  RedisLink link_{options(redis_)};
  QueueCalls calls_{"drip:{t}:", queue_script_at_given_time()};
  std::uint64_t now_us_ = 1'790'000'000'000'000;
};

TEST_F(ExactLaw, TheSpecsBurst) {
  const QueueBucket b = bucket(10, 100);
  for (std::uint64_t i = 0; i < 50; ++i) {
    const SharedTicket ticket = admit(b, "r" + std::to_string(i));
    EXPECT_EQ(ticket.position, i + 1);
    EXPECT_EQ(ticket.wait.ns, static_cast<std::int64_t>(i) * 100'000'000);
  }
  EXPECT_EQ(read(b).departed, 0U);
  now_us_ += 1'000'000;
  EXPECT_EQ(read(b).departed, 10U);
  now_us_ += 60'000'000;
  EXPECT_EQ(read(b).departed, 50U);
  // No credit for the pause.
  for (int i = 0; i < 3; ++i) admit(b, "s" + std::to_string(i));
  EXPECT_EQ(read(b).backlog, 3U);
}

TEST_F(ExactLaw, RatesAreExactInTheLongRun) {
  for (const double rate : {1.0 / 3600, 1.0 / 7, 3.0, 333.333, 70'001.0, 999'983.0, 123456789.0}) {
    QueueBucket b = bucket(rate, kMaxCapacity);
    b.id = "rate" + std::to_string(rate);
    // A backlog by which the queue is never empty.
    const int units = 2000;
    for (int i = 0; i < units; ++i) admit(b, std::to_string(i));
    const std::uint64_t begin = now_us_;
    const double due = 1e6 * (units - 1) / rate;
    now_us_ = begin + static_cast<std::uint64_t>(due * (1 - 1e-6)) - 1;
    EXPECT_LE(read(b).departed, static_cast<std::uint64_t>(units - 1)) << rate;
    now_us_ = begin + static_cast<std::uint64_t>(due * (1 + 1e-6)) + 2;
    EXPECT_GE(read(b).departed, static_cast<std::uint64_t>(units - 1)) << rate;
    const long double period =
        static_cast<long double>(QueuePeriod::of_rate(rate).us) +
        static_cast<long double>(QueuePeriod::of_rate(rate).fraction) * 0x1p-32L;
    EXPECT_NEAR(static_cast<double>(period * rate / 1e6), 1.0, 1e-6) << rate;
  }
}

TEST_F(ExactLaw, DoesAsTheLawDoesOverDrawnArrivals) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 30; ++round) {
    QueueBucket b = bucket(std::exp2(static_cast<double>(random() % 24)) / 7,
                           1 + static_cast<std::uint32_t>(random() % 20),
                           random() % 2 == 0 ? Departure::kAtStart : Departure::kAtEnd);
    b.id = "drawn" + std::to_string(round);
    const auto now = [&] { return TimePoint{now_us_ * 1000}; };
    const auto period = static_cast<std::uint64_t>(1e6 / b.settings.units_per_second) + 1;
    read(b);
    ReferenceQueue expected(b, now());
    std::map<std::string, SharedTicket> tickets;
    std::uint64_t admitted = 0, rejected = 0, released = 0;
    for (int step = 0; step < 300; ++step) {
      SCOPED_TRACE(testing::Message() << "round " << round << " step " << step);
      now_us_ += random() % 3 == 0 ? 0 : random() % (random() % 5 == 0 ? 20 * period : 2 * period);
      expected.run_until(now());
      const std::string id = "r" + std::to_string(step);
      const std::uint64_t kind = random() % 10;
      if (kind < 7) {
        const std::uint64_t occupied = expected.occupancy(now());
        if (kind == 0) {
          // Units without a name: each like one with a name.
          const auto count = 1 + static_cast<std::uint32_t>(random() % 8);
          const bool all = random() % 2 == 0;
          std::uint32_t room = 0;
          const bool full = occupied + count > b.settings.capacity;
          while (!(all && full) && room < count && expected.admit("", now())) ++room;
          const SharedTicket ticket = admit_units(b, {"", count, all});
          ASSERT_EQ(ticket.admitted, room);
          ASSERT_EQ(ticket.reason == RejectReason::kAdmitted, room == count);
          if (room > 0) {
            ASSERT_EQ(ticket.position, occupied + 1);
          }
          admitted += room;
          rejected += count - room;
          expected.run_until(now());
          continue;
        }
        const bool taken = expected.admit(id, now());
        const SharedTicket ticket = admit(b, id);
        ASSERT_EQ(ticket.reason == RejectReason::kAdmitted, taken);
        ++(taken ? admitted : rejected);
        if (!taken) continue;
        tickets[id] = ticket;
        ASSERT_EQ(ticket.position, occupied + 1);
        const Duration wait = expected.wait_of(expected.waiting.size() - 1, now());
        ASSERT_GE(ticket.wait.ns, wait.ns);
        ASSERT_LT(ticket.wait.ns, wait.ns + 1000);
        expected.run_until(now());
        if (expected.waiting.empty() || expected.waiting.back().id != id)
          continue;  // Left at once.
        const SharedTicket again = admit(b, id);
        ASSERT_TRUE(again.duplicate);
        ASSERT_EQ(again.key.sequence, ticket.key.sequence);
        ASSERT_EQ(again.wait.ns, ticket.wait.ns);
      } else if (kind < 8 && !expected.waiting.empty()) {
        const std::size_t rank = random() % expected.waiting.size();
        const std::string given_up = expected.waiting[rank].id;
        if (given_up.empty()) continue;  // Nobody can give it up.
        expected.release(rank, now());
        const auto turn =
            status_of_request(run(calls_.release(b, given_up, tickets[given_up].key)));
        ASSERT_TRUE(turn.ok()) << turn.status();
        ASSERT_EQ(turn->state, SharedRequestStatus::State::kReleased);
        ++released;
      } else if (kind < 9) {
        b.settings.units_per_second *= random() % 2 == 0 ? 0.4 : 2.3;
        b.settings.capacity = 1 + static_cast<std::uint32_t>(random() % 20);
        ++b.revision;
        expected.change(b, now());
        read(b);
        // The rescaled moment is rounded up, to the microsecond here and to 2^-64 ns there: from
        // there on they would differ by so much. Let both run empty.
        now_us_ += 30 * (static_cast<std::uint64_t>(1e6 / b.settings.units_per_second) + 1);
        expected.run_until(now());
      } else if (!tickets.empty()) {
        auto any = tickets.begin();
        std::advance(any, static_cast<std::ptrdiff_t>(random() % tickets.size()));
        const auto turn = status_of_request(run(calls_.look(b, any->first, any->second.key)));
        ASSERT_TRUE(turn.ok()) << turn.status();
        const bool waits = std::ranges::any_of(
            expected.waiting, [&](const auto& unit) { return unit.id == any->first; });
        ASSERT_EQ(turn->state == SharedRequestStatus::State::kWaits, waits);
      }
      const BucketStats reading = read(b);
      ASSERT_EQ(reading.backlog, expected.waiting.size());
      ASSERT_EQ(reading.departed, expected.departed);
      ASSERT_EQ(reading.admitted, admitted);
      ASSERT_EQ(reading.dropped, released);
      ASSERT_EQ(reading.rejected[static_cast<std::size_t>(RejectReason::kFull)], rejected);
    }
  }
}

TEST_F(ExactLaw, ListsInOrderAndPagesOn) {
  const QueueBucket b = bucket(1, 100);
  for (int i = 0; i < 10; ++i) admit(b, "r" + std::to_string(i));
  now_us_ += 1'500'000;
  const auto first = page_of(run(calls_.list(b, 0, 4)));
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->entries.size(), 4U);
  EXPECT_EQ(first->entries.front().request_id, "r1");
  EXPECT_EQ(first->entries.front().position, 1U);
  EXPECT_EQ(first->entries.front().since_arrival.ns, 1'500'000'000);
  EXPECT_EQ(first->entries.at(2).wait.ns, 1'500'000'000);
  const auto rest = page_of(run(calls_.list(b, first->next.value_or(0), 100)));
  ASSERT_EQ(rest->entries.size(), 5U);
  EXPECT_EQ(rest->entries.back().position, 9U);
  EXPECT_FALSE(rest->next.has_value());
}

TEST_F(ExactLaw, ListsThoseWithANameAmongManyWithout) {
  const QueueBucket b = bucket(1, 60'000);
  admit(b, "first");
  for (int i = 0; i < 25; ++i) admit_units(b, {"", 1000, true});
  admit(b, "last");
  auto page = page_of(run(calls_.list(b, 0, 100)));
  ASSERT_EQ(page->entries.size(), 1U) << "so many are looked at in one call";
  ASSERT_TRUE(page->next.has_value());
  page = page_of(run(calls_.list(b, *page->next, 100)));
  ASSERT_EQ(page->entries.size(), 1U);
  EXPECT_EQ(page->entries.front().request_id, "last");
  EXPECT_EQ(page->entries.front().position, 25'002U);
  now_us_ += 30'000'000'000;
  EXPECT_EQ(read(b).departed, 25'002U);
}

TEST_F(ExactLaw, SeveralInOneCallStandEachForItself) {
  const QueueBucket b = bucket(10, 5);
  const std::vector<QueueUnits> units = {{"a", 1, false}, {"", 10, true},  {"a", 1, false},
                                         {"", 2, true},   {"b", 1, false}, {"", 7, false}};
  const auto tickets = tickets_of(run(calls_.admit(b, units, 0)));
  ASSERT_TRUE(tickets.ok()) << tickets.status();
  ASSERT_EQ(tickets->size(), units.size());
  const std::vector<std::uint32_t> admitted = {1, 0, 1, 2, 1, 1};
  const std::vector<std::uint64_t> positions = {1, 0, 1, 2, 4, 5};
  for (std::size_t i = 0; i < units.size(); ++i) {
    EXPECT_EQ((*tickets)[i].admitted, admitted[i]) << i;
    EXPECT_EQ((*tickets)[i].position, positions[i]) << i;
    EXPECT_EQ((*tickets)[i].duplicate, i == 2) << i;
    EXPECT_EQ((*tickets)[i].reason == RejectReason::kFull, i == 1 || i == 5) << i;
  }
  EXPECT_EQ(read(b).rejected[static_cast<std::size_t>(RejectReason::kFull)], 16U);
}

// Its answer was lost with the connection.
TEST_F(ExactLaw, ACallThatComesAgainIsAnsweredAsTheFirstTime) {
  const QueueBucket b = bucket(10, 5);
  const SharedTicket head = admit_units(b, {.request_id = "a", .token = 7});
  const SharedTicket first = admit_units(
      b, {.request_id = "b", .terms = {.remember = Duration{1'000'000'000}}, .token = 8});
  ASSERT_EQ(first.position, 2U);
  // Even if the line has moved since.
  ASSERT_TRUE(status_of_request(run(calls_.release(b, "a", head.key))).ok());
  const SharedTicket again = admit_units(b, {.request_id = "b", .token = 8});
  EXPECT_EQ(again.admitted, 1U);
  EXPECT_FALSE(again.duplicate);
  EXPECT_EQ(again.position, 2U);
  EXPECT_EQ(again.key.sequence, first.key.sequence);
  EXPECT_EQ(read(b).admitted, 2U);
  // Another call with that id is not it, nor is one that does not say which it is.
  for (const std::uint64_t other : {9U, 0U}) {
    const SharedTicket duplicate = admit_units(b, {.request_id = "b", .token = other});
    EXPECT_TRUE(duplicate.duplicate) << other;
    EXPECT_EQ(duplicate.position, 1U) << other;
  }
  admit_units(b, {.request_id = "c"});
  EXPECT_TRUE(admit_units(b, {.request_id = "c"}).duplicate);
  now_us_ += 500'000;
  EXPECT_TRUE(admit_units(b, {.request_id = "b", .token = 9}).has_left);
}

TEST_F(ExactLaw, NothingIsAdmittedAfterItsTime) {
  const QueueBucket b = bucket(10, 5);
  const QueueUnits unit{"a", 1, false};
  const auto at = [&](std::uint64_t expiry_us) {
    return tickets_of(run(calls_.admit(b, std::span(&unit, 1), expiry_us)));
  };
  EXPECT_EQ(at(now_us_ - 1).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(read(b).admitted, 0U);
  EXPECT_TRUE(at(now_us_).ok());
  EXPECT_EQ(read(b).admitted, 1U);
}

TEST_F(ExactLaw, APlaceThatRedisLostIsNotTakenForOneThatHasLeft) {
  const QueueBucket b = bucket(1, 100);
  const SharedTicket first = admit(b, "a");
  SharedTicket last = admit(b, "b");
  const auto state_of = [&](const std::string& id, const SharedTicket& ticket) {
    return status_of_request(run(calls_.look(b, id, ticket.key)))->state;
  };
  // A replica that lacked the last of them.
  ++last.key.sequence;
  EXPECT_EQ(state_of("c", last), SharedRequestStatus::State::kLost);
  redis_.cli({"FLUSHALL"});
  now_us_ += 1000;
  EXPECT_EQ(state_of("a", first), SharedRequestStatus::State::kLost);
  const SharedTicket again = admit(b, "other");
  EXPECT_NE(again.key.instance, first.key.instance);
  EXPECT_EQ(state_of("a", first), SharedRequestStatus::State::kLost);
}

TEST_F(ExactLaw, ADeletionThatComesLateDoesNotTouchAnotherBucketOfTheName) {
  const QueueBucket b = bucket(1, 100);
  admit(b, "a");
  ASSERT_TRUE(removal_of(run(calls_.remove(b, false))).ok());
  QueueBucket next = b;
  next.revision = 3;
  admit(next, "b");
  const auto removal = removal_of(run(calls_.remove(b, true)));
  ASSERT_TRUE(removal.ok()) << removal.status();
  EXPECT_EQ(removal->dropped, 0U);
  EXPECT_EQ(read(next).backlog, 1U);
}

TEST_F(ExactLaw, DeletedBucketsDrainOrDrop) {
  const QueueBucket b = bucket(1, 100);
  const SharedTicket first = admit(b, "a");
  admit(b, "b");
  auto removal = removal_of(run(calls_.remove(b, false)));
  EXPECT_EQ(removal->draining, 2U);
  EXPECT_EQ(status_of_request(run(calls_.look(b, "a", first.key)))->state,
            SharedRequestStatus::State::kWaits);
  // A node that does not know yet cannot bring it back.
  const QueueUnits late{"c", 1, false};
  EXPECT_EQ(tickets_of(run(calls_.admit(b, std::span(&late, 1), 0))).status().code(),
            absl::StatusCode::kNotFound);
  now_us_ += 1'000'000;
  EXPECT_EQ(status_of_request(run(calls_.look(b, "a", first.key)))->state,
            SharedRequestStatus::State::kDeparted);
  // One of the same name is another one.
  QueueBucket next = b;
  next.revision = 2;
  const SharedTicket other = admit(next, "a");
  EXPECT_FALSE(other.duplicate);
  EXPECT_NE(other.key.instance, first.key.instance);
  removal = removal_of(run(calls_.remove(next, true)));
  EXPECT_EQ(removal->dropped, 1U);
  EXPECT_EQ(status_of_request(run(calls_.look(next, "a", other.key)))->state,
            SharedRequestStatus::State::kDropped);
}

// Redis would be full one day.
TEST_F(ExactLaw, NothingOfADeletedBucketStaysForever) {
  const auto run_command = [&](RedisCommand command) {
    const auto replies = link_.pipeline(std::span(&command, 1));
    EXPECT_TRUE(replies.ok()) << replies.status();
    return replies.ok() ? replies->front() : RedisReply{};
  };
  for (const bool drop : {false, true}) {
    const QueueBucket b = bucket(1, 100);
    const SharedTicket first = admit(b, "a");
    const SharedTicket second = admit(b, "b");
    ASSERT_TRUE(removal_of(run(calls_.remove(b, drop))).ok());
    // Who waits still asks.
    run(calls_.look(b, "a", first.key));
    run(calls_.release(b, "b", second.key));
    const RedisReply keys = run_command({"KEYS", "*"});
    ASSERT_NE(keys.array(), nullptr);
    EXPECT_GE(keys.array()->size(), 3U);
    for (const RedisReply& key : *keys.array()) {
      EXPECT_GT(*run_command({"TTL", *key.text()}).integer(), 0) << *key.text();
    }
    run_command({"FLUSHALL"});
  }
}

TEST_F(ExactLaw, AClockThatIsSetBackStandsStill) {
  const QueueBucket b = bucket(10, 100);
  for (int i = 0; i < 5; ++i) admit(b, std::to_string(i));
  now_us_ += 200'000;
  EXPECT_EQ(read(b).departed, 2U);
  now_us_ -= 10'000'000;
  EXPECT_EQ(read(b).departed, 2U);
  EXPECT_EQ(admit(b, "x").wait.ns, 300'000'000);
}

}  // namespace
}  // namespace drip::cluster
