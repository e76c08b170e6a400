// SPDX-License-Identifier: BSD-3-Clause
// The engine on real threads, without ports: requests, live changes, stop.
#include "datapath/poll_engine/poll_engine.h"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <string>
#include <thread>

#include "datapath/memory/ring_memory.h"
#include "datapath/poll_engine/portless.h"
#include "drip/bucket_ring.h"
#include "support/wait_until.h"

namespace drip::datapath {
namespace {

BucketSettings requests(std::uint32_t capacity, double rate) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.units_per_second = rate;
  return settings;
}

class PollEngineTest : public testing::TestWithParam<int> {
 protected:
  PollEngineTest() {
    EngineOptions options;
    for (int i = 0; i < GetParam(); ++i) {
      options.lcores.push_back({LcoreStats::Role::kFused, -1, -1, true, 0});
    }
    options.buckets_per_transmitter = 1024;
    options.ring_memory_bytes = 64 << 20;
    engine_ = std::make_unique<PollEngine>(options, portless_poll_threads(), ports_, clock_);
  }

  BucketRef create(const BucketSettings& settings) {
    BucketChange change{std::nullopt, settings};
    const absl::Status status = engine_->apply(std::span(&change, 1));
    EXPECT_TRUE(status.ok()) << status;
    return change.ref.value_or(BucketRef{});
  }
  RequestRecord& record() { return records_.emplace_back(); }
  // Until retired flow tables have been freed, which the next change does.
  void wait_until_reserved(std::uint64_t ring_bytes) {
    EXPECT_TRUE(wait_until([&] {
      EXPECT_TRUE(engine_->apply({}).ok());
      return engine_->memory().reserved_bytes == ring_bytes;
    }));
  }

  NoPorts ports_;
  TscClock clock_;
  std::deque<RequestRecord> records_;
  std::unique_ptr<PollEngine> engine_;
};

TEST_P(PollEngineTest, AnswersWithPositionAndWait) {
  const BucketRef bucket = create(requests(100, 1.0 / 3600));
  for (std::uint64_t i = 0; i < 11; ++i) {
    const Admission admission = engine_->admit(bucket, record(), 0);
    ASSERT_EQ(admission.reason, RejectReason::kAdmitted);
    EXPECT_EQ(admission.position, i + 1);
    if (i == 0) {
      EXPECT_EQ(admission.wait.ns, 0);
    }
    // The unit in service is being served meanwhile.
    EXPECT_LE(admission.wait.ns, static_cast<std::int64_t>(i) * 3'600'000'000'000);
    EXPECT_GE(admission.wait.ns,
              static_cast<std::int64_t>(i) * 3'600'000'000'000 - (i == 0 ? 0 : 600'000'000'000));
  }
  EXPECT_EQ(engine_->read(bucket).backlog, 11U);
  EXPECT_EQ(engine_->read(bucket).departed, 0U);
}

TEST_P(PollEngineTest, RejectsWhatDoesNotFit) {
  const BucketRef bucket = create(requests(10, 1.0 / 3600));
  for (int i = 0; i < 10; ++i) {
    ASSERT_EQ(engine_->admit(bucket, record(), 0).reason, RejectReason::kAdmitted);
  }
  EXPECT_EQ(engine_->admit(bucket, record(), 0).reason, RejectReason::kFull);
  const BucketStats stats = engine_->read(bucket);
  EXPECT_EQ(stats.admitted, 10U);
  EXPECT_EQ(stats.rejected[static_cast<std::size_t>(RejectReason::kFull)], 1U);
}

TEST_P(PollEngineTest, EverythingAdmittedDepartsOnce) {
  std::vector<BucketRef> buckets;
  for (int i = 0; i < 8; ++i) buckets.push_back(create(requests(4096, 1e6)));
  std::vector<std::thread> callers;
  std::array<std::deque<RequestRecord>, 4> records;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 2000; ++i) {
        auto& mine = records[static_cast<std::size_t>(caller)].emplace_back();
        EXPECT_EQ(engine_->admit(buckets[static_cast<std::size_t>(i) % 8], mine, 0).reason,
                  RejectReason::kAdmitted);
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_TRUE(wait_until([&] {
    std::uint64_t departed = 0;
    for (const BucketRef bucket : buckets) departed += engine_->read(bucket).departed;
    return departed == 8000;
  }));
  for (const auto& mine : records) {
    for (const RequestRecord& one : mine) {
      EXPECT_EQ(one.state.load(), RequestRecord::State::kDeparted);
    }
  }
}

TEST_P(PollEngineTest, AllChangesOrNone) {
  std::vector<BucketChange> changes(3, BucketChange{std::nullopt, requests(1000, 1)});
  changes[2].settings.capacity = kMaxCapacity;
  std::vector<BucketChange> too_many;
  for (int i = 0; i < 10; ++i) too_many.push_back(changes[2]);
  const MemoryStats before = engine_->memory();
  const absl::Status status = engine_->apply(too_many);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  // The figure is that of all of them: it was known before any memory was taken.
  const std::uint64_t wanted = 10 * RingMemory::bytes_for(BucketRing::slots_for(kMaxCapacity));
  EXPECT_NE(status.message().find(std::to_string(wanted) + " bytes more would make"),
            std::string::npos)
      << status;
  for (const BucketChange& change : too_many) EXPECT_FALSE(change.ref);
  EXPECT_EQ(engine_->memory().reserved_bytes, before.reserved_bytes);
  EXPECT_TRUE(engine_->apply(changes).ok());
}

TEST_P(PollEngineTest, GrowsInTheMiddleOfABacklog) {
  const BucketRef bucket = create(requests(4, 1.0 / 3600));
  for (int i = 0; i < 4; ++i) engine_->admit(bucket, record(), 0);
  BucketChange change{bucket, requests(1000, 1.0 / 3600)};
  ASSERT_TRUE(engine_->apply(std::span(&change, 1)).ok());
  for (int i = 0; i < 996; ++i) {
    ASSERT_EQ(engine_->admit(bucket, record(), 0).reason, RejectReason::kAdmitted) << i;
  }
  EXPECT_EQ(engine_->admit(bucket, record(), 0).reason, RejectReason::kFull);
  change.settings = requests(1000, 1e6);
  ASSERT_TRUE(engine_->apply(std::span(&change, 1)).ok());
  EXPECT_TRUE(wait_until([&] { return engine_->read(bucket).departed == 1000; }));
}

TEST_P(PollEngineTest, ReleasedRequestMakesRoom) {
  const BucketRef bucket = create(requests(3, 1.0 / 3600));
  RequestRecord& first = record();
  RequestRecord& second = record();
  RequestRecord& third = record();
  engine_->admit(bucket, first, 0);
  engine_->admit(bucket, second, 0);
  engine_->admit(bucket, third, 0);
  engine_->release(bucket, second);
  EXPECT_EQ(second.state.load(), RequestRecord::State::kReleased);
  EXPECT_EQ(engine_->read(bucket).backlog, 2U);
  EXPECT_EQ(engine_->admit(bucket, record(), 0).position, 3U);
  engine_->release(bucket, first);
  engine_->release(bucket, first);
  EXPECT_EQ(engine_->read(bucket).backlog, 2U);
}

TEST_P(PollEngineTest, ReleasesOfAFullBucketGetALargerRing) {
  const MemoryStats before = engine_->memory();
  const BucketRef bucket = create(requests(64, 1.0 / 3600));
  std::deque<RequestRecord*> waiting;
  const auto fill = [&] {
    while (waiting.size() < 64) {
      waiting.push_back(&record());
      ASSERT_EQ(engine_->admit(bucket, *waiting.back(), 0).position, waiting.size());
    }
    ASSERT_EQ(engine_->admit(bucket, record(), 0).reason, RejectReason::kFull);
  };
  ASSERT_NO_FATAL_FAILURE(fill());
  EXPECT_EQ(engine_->read(bucket).ring_slots, 64U);
  for (std::size_t i = 0; i < 1'000; ++i) {
    const std::size_t at = i * 37 % waiting.size();
    engine_->release(bucket, *waiting[at]);
    EXPECT_EQ(waiting[at]->state.load(), RequestRecord::State::kReleased);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
    ASSERT_NO_FATAL_FAILURE(fill());
  }
  EXPECT_EQ(engine_->read(bucket).ring_slots, 128U) << "and no larger";
  // What waits is told when it is dropped, wherever it was moved.
  EXPECT_EQ(engine_->remove(bucket, true).dropped, 64U);
  for (const RequestRecord* const one : waiting) {
    EXPECT_EQ(one->state.load(), RequestRecord::State::kDropped);
  }
  EXPECT_EQ(engine_->memory().reserved_bytes, before.reserved_bytes);
}

TEST_P(PollEngineTest, WithoutMemoryForALargerRingPlacesAreFreeAsWell) {
  const BucketRef bucket = create(requests(64, 1.0 / 3600));
  for (std::uint32_t capacity = kMaxCapacity; capacity >= 128; capacity /= 2) {
    for (int failed = 0; failed < 2 * GetParam();) {  // The transmitters take turns.
      BucketChange other{std::nullopt, requests(capacity, 1)};
      failed = engine_->apply(std::span(&other, 1)).ok() ? 0 : failed + 1;
    }
  }
  std::deque<RequestRecord*> waiting;
  for (int i = 0; i < 64; ++i) {
    waiting.push_back(&record());
    ASSERT_EQ(engine_->admit(bucket, *waiting.back(), 0).reason, RejectReason::kAdmitted);
  }
  for (int i = 0; i < 100; ++i) {
    engine_->release(bucket, *waiting[30]);
    waiting.erase(waiting.begin() + 30);
    waiting.push_back(&record());
    ASSERT_EQ(engine_->admit(bucket, *waiting.back(), 0).position, 64U);
  }
  EXPECT_EQ(engine_->read(bucket).ring_slots, 64U);
}

TEST_P(PollEngineTest, SlotsAndMemoryOfDeletedBucketsAreReleased) {
  const std::uint64_t before = engine_->memory().reserved_bytes;
  for (int round = 0; round < 3000; ++round) {
    const BucketRef bucket = create(requests(100, 1));
    engine_->admit(bucket, record(), 0);
    const Removal removal = engine_->remove(bucket, true);
    EXPECT_EQ(removal.dropped, 1U);
    EXPECT_EQ(records_.back().state.load(), RequestRecord::State::kDropped);
  }
  EXPECT_EQ(engine_->memory().reserved_bytes, before);
}

TEST_P(PollEngineTest, PacketBuffersReservedForFlowsAreReleased) {
  FlowRuleSettings settings;
  settings.bucket = requests(100, 1);
  settings.max_flows = 64;
  const auto reserved = [&] {
    EXPECT_TRUE(engine_->apply({}).ok());  // Releases what has retired since.
    return engine_->memory().mbufs_reserved;
  };
  for (int round = 0; round < 3; ++round) {
    const auto rule = engine_->create_flow_rule(settings);
    ASSERT_TRUE(rule.ok()) << rule.status();
    EXPECT_EQ(reserved(), 6400U);
    engine_->remove_flow_rule(*rule);
    ASSERT_TRUE(wait_until([&] { return reserved() == 0; }));
  }
}

TEST_P(PollEngineTest, DrainsOnDelete) {
  const BucketRef bucket = create(requests(100, 1000));
  for (int i = 0; i < 50; ++i) engine_->admit(bucket, record(), 0);
  const Removal removal = engine_->remove(bucket, false);
  EXPECT_GT(removal.draining, 0U);
  EXPECT_TRUE(wait_until([&] {
    for (const RequestRecord& one : records_) {
      if (one.state.load() != RequestRecord::State::kDeparted) return false;
    }
    return true;
  }));
}

TEST_P(PollEngineTest, StopsWithABoundAndCountsWhatItDropped) {
  const BucketRef bucket = create(requests(100, 1.0 / 3600));
  for (int i = 0; i < 5; ++i) engine_->admit(bucket, record(), 0);
  EXPECT_EQ(engine_->drain_and_stop(Duration{1'000'000}), 5U);
  EXPECT_EQ(engine_->admit(bucket, record(), 0).reason, RejectReason::kDraining);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(records_[static_cast<std::size_t>(i)].state.load(), RequestRecord::State::kStopped);
  }
}

TEST_P(PollEngineTest, LeasesStartStopAndEndByThemselves) {
  BucketSettings settings = requests(100'000, 10'000);
  settings.rate_is_leased = true;
  const BucketRef bucket = create(settings);
  for (int i = 0; i < 1000; ++i) engine_->admit(bucket, record(), 0);
  EXPECT_TRUE(engine_->read(bucket).paused);
  const auto in = [&](std::int64_t ms) { return engine_->now() + Duration{ms * 1'000'000}; };
  engine_->set_lease_ends({in(3'600'000), in(3'600'000)});
  engine_->lease(bucket, {{1'000'000, 0}, {}, true});
  EXPECT_TRUE(wait_until([&] { return engine_->read(bucket).departed == 1000; }));
  EXPECT_FALSE(engine_->read(bucket).paused);
  // It ends, and no command is needed for that.
  engine_->lease(bucket, {{1, 0}, {}, true});
  for (int i = 0; i < 100; ++i) engine_->admit(bucket, record(), 0);
  engine_->set_lease_ends({in(1), in(1)});
  EXPECT_TRUE(wait_until([&] { return engine_->lapses() > 0 && engine_->read(bucket).paused; }));
  const std::uint64_t departed = engine_->read(bucket).departed;
  engine_->lease(bucket, {{1'000'000, 0}, {}, true});
  EXPECT_EQ(engine_->read(bucket).departed, departed);
  // What is paused with nothing to fall back to cannot drain.
  const Removal removal = engine_->remove(bucket, false);
  EXPECT_EQ(removal.draining, 0U);
  EXPECT_EQ(removal.dropped, 1100 - departed);
}

TEST_P(PollEngineTest, LeasedBucketThatIsDeletedDrainsAtItsShare) {
  BucketSettings settings = requests(1000, 10);
  settings.rate_is_leased = true;
  const BucketRef bucket = create(settings);
  for (int i = 0; i < 50; ++i) engine_->admit(bucket, record(), 0);
  engine_->set_lease_ends({engine_->now() + Duration{20'000'000}, engine_->now()});
  engine_->lease(bucket, {{1000, 0}, {}, true});
  EXPECT_GT(engine_->remove(bucket, false).draining, 0U);
  EXPECT_TRUE(
      wait_until([&] { return records_.back().state.load() == RequestRecord::State::kDeparted; }));
}

// ---- Per-flow rules

FlowRuleSettings flows_of(std::uint32_t max_flows, std::uint32_t capacity) {
  FlowRuleSettings settings;
  settings.key.kind = FlowKeyKind::kSource;
  settings.bucket = requests(capacity, 10);
  settings.max_flows = max_flows;
  settings.idle_timeout = Duration{1'000'000'000};
  return settings;
}

// The rings are there once, whichever transmitters have the flows.
TEST_P(PollEngineTest, WhatFitsDoesNotDependOnTheNumberOfTransmitters) {
  // 1024 flows of 4 KiB are 4 MiB, of 64 MiB.
  const auto small = engine_->create_flow_rule(flows_of(1000, 256));
  ASSERT_TRUE(small.ok()) << small.status();
  EXPECT_EQ(engine_->memory().reserved_bytes, 1000U * 256 * sizeof(RingEntry));
  engine_->remove_flow_rule(*small);
  wait_until_reserved(0);
  const std::uint64_t left = engine_->memory().budget_bytes - engine_->memory().reserved_bytes;
  const auto flows = static_cast<std::uint32_t>(left / (65536 * sizeof(RingEntry)));
  const auto whole = engine_->create_flow_rule(flows_of(flows, 65536));
  EXPECT_TRUE(whole.ok()) << whole.status();
  const auto more = engine_->create_flow_rule(flows_of(1, 65536));
  EXPECT_EQ(more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(more.status().message().find("raise --ring-memory"), std::string::npos)
      << more.status();
}

TEST_P(PollEngineTest, AChangedFlowRuleAsksForTheDifferenceOnly) {
  const auto ring_bytes = [&] { return engine_->memory().reserved_bytes / sizeof(RingEntry); };
  const auto rule = engine_->create_flow_rule(flows_of(100, 1024));
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ(ring_bytes(), 100U * 1024);
  const auto change = [&](std::uint32_t max_flows, std::uint32_t capacity) {
    return engine_->change_flow_rule(*rule, flows_of(max_flows, capacity));
  };
  ASSERT_TRUE(change(700, 1024).ok());
  EXPECT_EQ(ring_bytes(), 700U * 1024);
  ASSERT_TRUE(change(90, 1024).ok());
  EXPECT_EQ(ring_bytes(), 90U * 1024);
  // 4 Mi entries are the budget: more than half of it, and then larger rings.
  ASSERT_TRUE(change(90, 32768).ok());
  EXPECT_EQ(ring_bytes(), 90U * 32768);
  EXPECT_FALSE(change(90, 65536).ok());
  EXPECT_EQ(ring_bytes(), 90U * 32768) << "nothing has changed";
  ASSERT_TRUE(change(60, 65536).ok()) << "fewer flows make room for larger rings";
  EXPECT_EQ(ring_bytes(), 60U * 65536);
  ASSERT_TRUE(change(60, 10).ok());
  EXPECT_EQ(ring_bytes(), 60U * 65536) << "rings stay, as a bucket's does";
  // Slots as well: 1024 on each transmitter.
  ASSERT_TRUE(change(20, 10).ok());
  const absl::Status refused = change(1025, 10);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("raise --"), std::string::npos) << refused;
  engine_->remove_flow_rule(*rule);
  wait_until_reserved(0);
}

TEST_P(PollEngineTest, ARuleMayTakeAllSlotsAgainAfterItHasShrunk) {
  const auto rule = engine_->create_flow_rule(flows_of(1000, 4));
  ASSERT_TRUE(rule.ok());
  ASSERT_TRUE(engine_->change_flow_rule(*rule, flows_of(10, 4)).ok());
  const auto other = engine_->create_flow_rule(flows_of(1000, 4));
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_FALSE(engine_->change_flow_rule(*rule, flows_of(30, 4)).ok());
  ASSERT_TRUE(engine_->change_flow_rule(*rule, flows_of(24, 4)).ok());
  FlowRuleSettings other_key = flows_of(24, 4);
  other_key.key.ipv4_prefix_length = 24;
  EXPECT_TRUE(engine_->change_flow_rule(*rule, other_key).ok());
}

INSTANTIATE_TEST_SUITE_P(Lcores, PollEngineTest, testing::Values(1, 2));

}  // namespace
}  // namespace drip::datapath
