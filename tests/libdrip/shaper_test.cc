// SPDX-License-Identifier: BSD-3-Clause
// The shaper in virtual time: exact departures, order, memory, and every outcome of a call.
#include "drip/shaper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include "drawn_seed.h"
#include "exact_queue.h"
#include "support/counted_allocations.h"

namespace drip {
namespace {

constexpr TimePoint kStart{1'000'000'000};

struct Packet {
  std::uint32_t bucket = 0;
  std::uint64_t number = 0;
};

BucketSettings rate(double bits_per_second, std::uint32_t capacity = 64,
                    Departure departure = Departure::kAtStart) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = departure;
  return settings;
}

std::vector<Packet*> dequeue_all(Shaper<Packet>& shaper, TimePoint now, std::size_t burst = 32) {
  std::vector<Packet*> all;
  std::vector<Packet*> out(burst);
  for (std::size_t count = burst; count == burst;) {
    count = shaper.dequeue(now, out);
    all.insert(all.end(), out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

// `got` is the first whole ns at or after `exact`. The rounding of the period, to 2^-64 ns, may
// move what is due at a whole ns to the one before it or after it.
void expect_departure(std::uint64_t got_ns, const test::WideUint& exact,
                      const test::WideUint& denominator) {
  const test::WideUint got = denominator * got_ns;
  ASSERT_LE(exact, got + denominator);
  ASSERT_LE(got, exact + denominator);
}

TEST(Shaper, EveryPacketDepartsAtItsExactNanosecond) {
  constexpr std::uint32_t kBuckets = 12;
  test::Draw draw;
  for (const TimePoint start : {kStart, TimePoint{0 - std::uint64_t{3'000'000}}}) {
    Shaper<Packet> shaper({kBuckets, kBuckets * 1024, start});
    std::vector<test::ExactQueue> oracles;
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      test::Rates rates;
      if (draw.one_in(2)) rates.units_per_second = static_cast<double>(draw.of_any_size(100, 1e8));
      if (rates.units_per_second == 0 || draw.one_in(2)) {
        rates.bits_per_second = static_cast<double>(draw.of_any_size(100'000, 400e9)) + 0.25;
      }
      BucketSettings settings = rate(rates.bits_per_second, 1024,
                                     draw.one_in(2) ? Departure::kAtStart : Departure::kAtEnd);
      settings.units_per_second = rates.units_per_second;
      const auto bucket = shaper.add_bucket(settings, start);
      ASSERT_TRUE(bucket.ok()) << bucket.error();
      ASSERT_EQ(*bucket, i);
      oracles.emplace_back(rates, settings.departure);
    }
    std::deque<Packet> packets;
    std::vector<std::deque<test::WideUint>> expected(kBuckets);
    std::uint64_t departed = 0;
    TimePoint now = start;
    TimePoint next_arrival = start;
    while (packets.size() < 6'000 || shaper.next_departure()) {
      if (packets.size() < 6'000 && next_arrival <= now) {
        const auto bucket = static_cast<std::uint32_t>(draw.between(0, kBuckets - 1));
        const auto bytes = static_cast<std::uint32_t>(draw.of_any_size(1, 9'000));
        Packet& packet = packets.emplace_back(Packet{bucket, packets.size()});
        const auto since_start = static_cast<std::uint64_t>((now - start).ns);
        if (shaper.cut_through(bucket, bytes, now)) {
          ASSERT_NO_FATAL_FAILURE(expect_departure(since_start,
                                                   oracles[bucket].arrive(since_start, bytes),
                                                   oracles[bucket].denominator()));
          ASSERT_TRUE(expected[bucket].empty());
          ++departed;
        } else if (shaper.enqueue(bucket, &packet, bytes, now) == RejectReason::kAdmitted) {
          expected[bucket].push_back(oracles[bucket].arrive(since_start, bytes));
        } else {
          ++departed;  // Full; the oracle has not seen it.
        }
        next_arrival =
            now +
            Duration{static_cast<std::int64_t>(draw.one_in(3) ? 0 : draw.of_any_size(1, 100'000))};
        continue;
      }
      for (Packet* const packet : dequeue_all(shaper, now, draw.between(1, 40))) {
        auto& due = expected[packet->bucket];
        ASSERT_FALSE(due.empty());
        ASSERT_NO_FATAL_FAILURE(expect_departure(static_cast<std::uint64_t>((now - start).ns),
                                                 due.front(),
                                                 oracles[packet->bucket].denominator()));
        due.pop_front();
        ++departed;
      }
      const auto next = shaper.next_departure();
      ASSERT_TRUE(!next || *next > now);
      if (packets.size() == 6'000) {
        now = next.value_or(now);
      } else {
        now = next && *next < next_arrival ? *next : next_arrival;
      }
    }
    EXPECT_EQ(departed, packets.size());
    EXPECT_EQ(shaper.lateness().max_ns, 0U);
  }
}

class ShaperTest : public testing::Test {
 protected:
  Shaper<Packet>::BucketId add(const BucketSettings& settings) {
    const auto bucket = shaper_.add_bucket(settings, kStart);
    EXPECT_TRUE(bucket.ok()) << bucket.error();
    return bucket.ok() ? *bucket : 0;
  }
  std::size_t enqueue(std::uint32_t bucket, std::size_t count, std::uint32_t bytes = 125) {
    std::size_t admitted = 0;
    for (std::size_t i = 0; i < count; ++i) {
      Packet& packet = packets_.emplace_back(Packet{bucket, packets_.size()});
      if (shaper_.enqueue(bucket, &packet, bytes, now_) == RejectReason::kAdmitted) ++admitted;
    }
    return admitted;
  }
  void expect_balance(std::uint32_t bucket) {
    const BucketCounters read = shaper_.stats(bucket);
    EXPECT_EQ(read.admitted, read.departed + read.dropped + read.backlog);
    EXPECT_EQ(read.admitted_bytes, read.departed_bytes + read.dropped_bytes + read.backlog_bytes);
    EXPECT_EQ(read.sojourn.total(), read.departed);
  }
  static std::uint64_t rejected(const BucketCounters& read, RejectReason reason) {
    return read.rejected[static_cast<std::size_t>(reason)];
  }

  Shaper<Packet> shaper_{{64, 4096, kStart}};
  std::deque<Packet> packets_;
  TimePoint now_ = kStart;
};

TEST_F(ShaperTest, OverdueBucketsTakeTurnsHoweverSmallTheBurst) {
  constexpr std::uint32_t kBuckets = 50;
  for (std::uint32_t i = 0; i < kBuckets; ++i) EXPECT_EQ(enqueue(add(rate(1e6)), 20), 20U);
  now_ = now_ + Duration{90'000'000};
  std::array<std::uint32_t, kBuckets> got{};
  for (int turn = 1; turn <= 20; ++turn) {
    for (std::uint32_t i = 0; i < kBuckets; ++i) {
      Packet* out = nullptr;
      ASSERT_EQ(shaper_.dequeue(now_, std::span(&out, 1)), 1U);
      ++got[out->bucket];
    }
    const auto [least, most] = std::minmax_element(got.begin(), got.end());
    ASSERT_EQ(*least, *most) << "turn " << turn;
  }
}

TEST_F(ShaperTest, PacketsOfABucketStayInOrder) {
  const auto fast = add(rate(10e9, 1024));
  enqueue(fast, 1000);
  now_ = now_ + Duration{60'000'000};
  const auto out = dequeue_all(shaper_, now_, 7);
  ASSERT_EQ(out.size(), 1000U);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i]->number, i);
}

TEST_F(ShaperTest, CountsEachRejectionByItsReason) {
  BucketSettings settings = rate(1e6, 4, Departure::kAtEnd);
  settings.capacity_bytes = 1000;
  const auto bucket = add(settings);
  EXPECT_EQ(enqueue(bucket, 1, 600), 1U);
  EXPECT_EQ(enqueue(bucket, 1, 401), 0U);
  EXPECT_EQ(enqueue(bucket, 4, 10), 3U);
  EXPECT_EQ(enqueue(bucket, 1, 65'536), 0U);
  EXPECT_EQ(shaper_.drain_bucket(bucket), 4U);
  EXPECT_EQ(enqueue(bucket, 1, 10), 0U);
  const BucketCounters read = shaper_.stats(bucket);
  EXPECT_EQ(rejected(read, RejectReason::kFullBytes), 1U);
  EXPECT_EQ(rejected(read, RejectReason::kFull), 1U);
  EXPECT_EQ(rejected(read, RejectReason::kTooLong), 1U);
  EXPECT_EQ(rejected(read, RejectReason::kDraining), 1U);
  EXPECT_EQ(read.backlog_bytes, 630U);
}

TEST_F(ShaperTest, ABurstTellsWhichPacketsWereRejected) {
  const auto small = add(rate(1e6, 2, Departure::kAtEnd));
  const auto large = add(rate(1e6, 64));
  std::array<Packet, 8> packets;
  std::vector<Shaper<Packet>::Arrival> burst;
  for (std::uint32_t i = 0; i < 8; ++i)
    burst.push_back({i % 2 == 0 ? small : large, 100, &packets[i]});
  std::vector<std::ptrdiff_t> lost;
  const std::size_t admitted =
      shaper_.enqueue(burst, kStart, [&](Packet* packet, RejectReason why) {
        EXPECT_EQ(why, RejectReason::kFull);
        lost.push_back(packet - packets.data());
      });
  EXPECT_EQ(admitted, 6U);
  EXPECT_EQ(lost, (std::vector<std::ptrdiff_t>{4, 6}));
}

TEST_F(ShaperTest, CutsThroughOnlyWhileTheServerIsIdle) {
  const auto bucket = add(rate(1e6));  // 125 bytes: 1 ms.
  EXPECT_TRUE(shaper_.cut_through(bucket, 125, kStart));
  EXPECT_FALSE(shaper_.cut_through(bucket, 125, kStart + Duration{999'999}));
  EXPECT_TRUE(shaper_.cut_through(bucket, 125, kStart + Duration{1'000'000}));
  EXPECT_EQ(shaper_.stats(bucket).departed, 2U);
  EXPECT_EQ(shaper_.stats(bucket).sojourn.max_ns, 0U);
  EXPECT_FALSE(shaper_.cut_through(add(rate(1e6, 4, Departure::kAtEnd)), 125, kStart));
  expect_balance(bucket);
}

TEST_F(ShaperTest, AChangeKeepsTheBacklogAndMovesItToALargerRing) {
  const auto bucket = add(rate(1e6, 4, Departure::kAtEnd));
  EXPECT_EQ(enqueue(bucket, 5), 4U);
  EXPECT_EQ(shaper_.free_ring_slots(), 4096U - 4);
  now_ = now_ + Duration{500'000};
  ASSERT_FALSE(shaper_.change_bucket(bucket, rate(2e6, 100, Departure::kAtEnd), now_));
  EXPECT_EQ(shaper_.free_ring_slots(), 4096U - 128);
  EXPECT_EQ(enqueue(bucket, 1), 1U);
  // Half of the first one's service was left, and takes half as long; rounded so as not to be
  // early.
  EXPECT_EQ(shaper_.next_departure(), kStart + Duration{750'001});
  EXPECT_EQ(dequeue_all(shaper_, kStart + Duration{750'001 + 4 * 500'000}).size(), 5U);
  expect_balance(bucket);
}

TEST_F(ShaperTest, AChangeThatDoesNotFitChangesNothing) {
  const auto bucket = add(rate(1e6, 4, Departure::kAtEnd));
  const auto no_memory = shaper_.change_bucket(bucket, rate(5e6, 5000), now_);
  ASSERT_TRUE(no_memory);
  EXPECT_EQ(no_memory->message,
            "capacity: its ring takes 8192 slots in one piece, 4092 of ring_slots 4096 are free");
  const auto invalid = shaper_.change_bucket(bucket, rate(5e6, 0), now_);
  ASSERT_TRUE(invalid);
  EXPECT_EQ(invalid->message, "capacity: 0 given, 1 to 1048576 allowed");
  EXPECT_EQ(enqueue(bucket, 5), 4U);
  EXPECT_EQ(shaper_.next_departure(), kStart + Duration{1'000'000});
  const auto absent = shaper_.change_bucket(63, rate(5e6), now_);
  ASSERT_TRUE(absent);
  EXPECT_EQ(absent->message, "bucket: 63 does not exist");
}

TEST_F(ShaperTest, ARemovedBucketGivesItsPacketsBack) {
  const auto bucket = add(rate(1e6));
  enqueue(bucket, 10);
  std::vector<std::uint64_t> dropped;
  EXPECT_EQ(shaper_.remove_bucket(bucket, [&](Packet* p) { dropped.push_back(p->number); }), 10U);
  EXPECT_EQ(dropped, (std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_FALSE(shaper_.has_bucket(bucket));
  EXPECT_EQ(enqueue(bucket, 1), 0U);
  EXPECT_FALSE(shaper_.next_departure());
  EXPECT_EQ(shaper_.remove_bucket(bucket, [](Packet*) { FAIL(); }), 0U);
  EXPECT_EQ(add(rate(1e6)), bucket);
  EXPECT_EQ(shaper_.stats(bucket).dropped, 0U) << "the counters are new";
}

TEST_F(ShaperTest, ADrainingBucketSendsWhatWaitsAndIsThenUsedAgain) {
  const auto bucket = add(rate(1e6, 64, Departure::kAtEnd));
  enqueue(bucket, 3);
  EXPECT_EQ(shaper_.drain_bucket(bucket), 3U);
  EXPECT_EQ(shaper_.drain_bucket(bucket), 0U);
  EXPECT_NE(add(rate(1e6)), bucket);
  EXPECT_EQ(dequeue_all(shaper_, kStart + Duration{3'000'000}).size(), 3U);
  EXPECT_EQ(add(rate(1e6)), bucket);
}

TEST_F(ShaperTest, WhatDrainsCanStillBeDropped) {
  const auto bucket = add(rate(1e6));
  enqueue(bucket, 3);
  shaper_.drain_bucket(bucket);
  EXPECT_EQ(shaper_.remove_bucket(bucket, [](Packet*) {}), 3U);
  EXPECT_EQ(add(rate(1e6)), bucket);
}

TEST_F(ShaperTest, SaysWhatIsUsedUp) {
  for (int i = 0; i < 64; ++i) add(rate(1e6));
  const auto one_more = shaper_.add_bucket(rate(1e6), kStart);
  ASSERT_FALSE(one_more.ok());
  EXPECT_EQ(one_more.error(), "max_buckets: all 64 buckets are in use");
  EXPECT_EQ(shaper_.free_ring_slots(), 0U);
}

TEST_F(ShaperTest, MemoryComesBackHoweverOftenBucketsComeAndGo) {
  test::Draw draw;
  std::vector<std::uint32_t> alive;
  for (int step = 0; step < 5'000; ++step) {
    if (!alive.empty() && draw.one_in(2)) {
      const std::size_t at = draw.between(0, alive.size() - 1);
      enqueue(alive[at], draw.between(0, 3));
      if (draw.one_in(2)) {
        shaper_.drain_bucket(alive[at]);
      } else {
        shaper_.remove_bucket(alive[at], [](Packet*) {});
      }
      alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(at));
    } else {
      const auto bucket =
          shaper_.add_bucket(rate(1e8, static_cast<std::uint32_t>(draw.between(1, 100))), now_);
      if (bucket.ok()) alive.push_back(*bucket);
    }
    now_ = now_ + Duration{20'000};
    dequeue_all(shaper_, now_);
  }
  for (const std::uint32_t bucket : alive) shaper_.remove_bucket(bucket, [](Packet*) {});
  dequeue_all(shaper_, now_ + Duration{100'000'000});
  const auto all = shaper_.add_bucket(rate(1e6, 4096), now_);
  EXPECT_TRUE(all.ok()) << "one bucket fits that takes all of the memory";
}

TEST_F(ShaperTest, PacketsMayLieAtAnyAddress) {
  Shaper<char> shaper({1, 64, kStart});
  ASSERT_TRUE(shaper.add_bucket(rate(1e9), kStart).ok());
  std::array<char, 16> bytes{};
  for (char& byte : bytes) {
    ASSERT_EQ(shaper.enqueue(0, &byte, 100, kStart), RejectReason::kAdmitted);
  }
  std::array<char*, 32> out{};
  ASSERT_EQ(shaper.dequeue(kStart + Duration{1'000'000}, out), bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(out[i], &bytes[i]);
}

TEST_F(ShaperTest, AllocatesNothingAfterSetUp) {
  std::array<Packet, 64> packets;
  std::array<Shaper<Packet>::Arrival, 32> burst;
  std::array<Packet*, 32> out{};
  const std::size_t before = allocations;
  std::uint64_t departed = 0;
  for (int round = 0; round < 1'000; ++round) {
    const auto bucket = shaper_.add_bucket(rate(1e8, 16), now_);
    const auto other = shaper_.add_bucket(rate(5e6, 40), now_);
    for (std::size_t i = 0; i < burst.size(); ++i) {
      burst[i] = {i % 2 == 0 ? *bucket : *other, 125, &packets[i]};
    }
    shaper_.enqueue(burst, now_, [](Packet*, RejectReason) {});
    (void)shaper_.change_bucket(*bucket, rate(2e8, 32), now_);
    now_ = now_ + Duration{20'000};
    departed += shaper_.dequeue(now_, out);
    shaper_.drain_bucket(*bucket);
    shaper_.remove_bucket(*other, [](Packet*) {});
  }
  EXPECT_EQ(allocations - before, 0U);
  EXPECT_GT(departed, 1'000U);
}

TEST_F(ShaperTest, DropAllEmptiesEveryBucket) {
  enqueue(add(rate(1e6)), 5);
  enqueue(add(rate(1e6)), 6);
  std::uint64_t freed = 0;
  EXPECT_EQ(shaper_.drop_all([&](Packet*) { ++freed; }), 11U);
  EXPECT_EQ(freed, 11U);
  EXPECT_FALSE(shaper_.next_departure());
}

}  // namespace
}  // namespace drip
