// SPDX-License-Identifier: BSD-3-Clause
// What is recorded, step by step, of buckets that come and go.
#include "control/recorder/bucket_recorder.h"

#include <gtest/gtest.h>

#include "recorder_fixture.h"
#include "sampled_fixture.h"

namespace drip::control {
namespace {

class BucketRecorderTest : public RecorderFixture {
 protected:
  void step() { RecorderFixture::step(recorder_); }
  // The row of a bucket; only while it lasts.
  const BucketRow* row(const std::string& id) {
    const auto index = recorder_.record().table.find(id);
    return index ? &recorder_.record().table.rows()[*index] : nullptr;
  }
  Sample last(const std::string& id) {
    const auto& history = row(id)->history;
    return history == nullptr ? Sample{} : history->at(history->next() - 1);
  }

  BucketRecorder recorder_{node_->context().engine, node_->context().buckets,
                           node_->context().configuration, nullptr, 10'000};
};

TEST_F(BucketRecorderTest, RatesAreThoseOfTheStep) {
  configure("bucket_id: 'b' capacity: 3 leak_rate_bps: 8000 departure: DEPARTURE_AT_END");
  recorder_.step();
  offer("b", 5);  // 1 s each; two are rejected.
  step();
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 8000);
  EXPECT_FLOAT_EQ(row("b")->units_per_second, 1);
  EXPECT_FLOAT_EQ(row("b")->lost_per_second, 1);
  EXPECT_EQ(row("b")->backlog, 1U);
  const Sample sample = last("b");
  EXPECT_NEAR(sample.bits_per_second, 8000, 3);
  EXPECT_EQ(sample.backlog, 1U);
  EXPECT_NEAR(sample.lost_per_second[static_cast<std::size_t>(Loss::kFull)], 1, 0.001);
  step();
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 4000);
  EXPECT_FLOAT_EQ(row("b")->lost_per_second, 0);
  step();
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 0);
  EXPECT_EQ(row("b")->backlog, 0U);
}

TEST_F(BucketRecorderTest, CountsFromBeforeTheFirstLookAreOfNoStep) {
  configure("bucket_id: 'b' capacity: 100 leak_rate_bps: 8000000");
  offer("b", 50);
  engine_.advance(kStep);
  recorder_.step();
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 0);
  EXPECT_EQ(row("b")->history, nullptr);
  offer("b", 10);
  step();
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 40'000);
}

TEST_F(BucketRecorderTest, SojournsAreOfTheStepAlone) {
  configure("bucket_id: 'b' capacity: 10 leak_rate_bps: 8000 departure: DEPARTURE_AT_END");
  recorder_.step();
  offer("b", 1);
  step();  // A history begins with this: its sojourns are not known.
  EXPECT_EQ(last("b").sojourn_p50_ns, 0U);
  offer("b", 1);  // Waits for 1 s.
  step();
  EXPECT_GT(last("b").sojourn_p50_ns, 500'000'000U);
  EXPECT_LE(last("b").sojourn_p99_ns, 1'001'000'000U);
  step();
  EXPECT_EQ(last("b").sojourn_p50_ns, 0U);
}

TEST_F(BucketRecorderTest, AnIdleBucketHasNoHistoryAndThenLosesIt) {
  configure("bucket_id: 'b' capacity: 10 leak_rate_bps: 8000000");
  recorder_.step();
  for (int i = 0; i < 10; ++i) step();
  EXPECT_EQ(row("b")->history, nullptr);
  offer("b", 1);
  step();
  ASSERT_NE(row("b")->history, nullptr);
  const std::uint64_t first = row("b")->history->first();
  for (std::size_t i = 1; i < History::kSamples; ++i) step();
  ASSERT_NE(row("b")->history, nullptr);
  EXPECT_EQ(row("b")->history->first(), first);
  step();
  EXPECT_EQ(row("b")->history, nullptr);
}

TEST_F(BucketRecorderTest, ABucketOfTheSameNameIsAnotherOne) {
  configure("bucket_id: 'b' capacity: 10 leak_rate_bps: 8000000");
  recorder_.step();
  offer("b", 5);
  step();
  ASSERT_NE(row("b")->history, nullptr);
  remove("bucket_id: 'b'");
  configure("bucket_id: 'b' capacity: 10 leak_rate_bps: 8000000");
  step();
  EXPECT_EQ(row("b")->history, nullptr);
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 0);
  remove("bucket_id: 'b'");
  step();
  EXPECT_EQ(row("b"), nullptr);
}

TEST_F(BucketRecorderTest, BucketsBetweenOthersAreFound) {
  for (const char* id : {"b", "d", "f"}) {
    configure(std::string("bucket_id: '") + id + "' capacity: 10 leak_rate_bps: 8000000");
  }
  recorder_.step();
  for (const char* id : {"b", "d", "f"}) offer(id, 1);
  configure("bucket_id: 'c' capacity: 10 leak_rate_bps: 8000000");
  remove("bucket_id: 'd'");
  step();
  EXPECT_FLOAT_EQ(row("b")->bits_per_second, 4000);
  EXPECT_FLOAT_EQ(row("f")->bits_per_second, 4000);
  ASSERT_NE(row("c"), nullptr);
  EXPECT_EQ(row("d"), nullptr);
}

TEST_F(BucketRecorderTest, AnInnerNodeHasTheBacklogOfAllBelowIt) {
  configure("bucket_id: 'up' inner: true leak_rate_bps: 8000000");
  configure("bucket_id: 'a' capacity: 9 parent_id: 'up' leak_rate_bps: 8");
  configure("bucket_id: 'b' capacity: 9 parent_id: 'up' leak_rate_bps: 8");
  recorder_.step();
  offer("a", 3);
  offer("b", 4);
  step();
  const std::uint64_t waiting = row("a")->backlog + row("b")->backlog;
  EXPECT_GE(waiting, 5U);  // Of each, one may be in service.
  EXPECT_EQ(row("up")->backlog_below, waiting);
  EXPECT_EQ(last("up").backlog, waiting);
  EXPECT_EQ(recorder_.record().all_now.backlog, waiting);
  EXPECT_EQ(recorder_.record().histories, 3U);
}

TEST_F(BucketRecorderTest, ThereAreAsManyHistoriesAsThereMayBe) {
  BucketRecorder recorder(node_->context().engine, node_->context().buckets,
                          node_->context().configuration, nullptr, 2);
  for (const char* id : {"a", "b", "c", "d"}) {
    configure(std::string("bucket_id: '") + id + "' capacity: 1000 leak_rate_bps: 800000000");
  }
  const auto kept = [&] {
    std::string ids;
    for (const BucketRow& one : recorder.record().table.rows()) {
      if (one.history != nullptr) ids += one.id();
    }
    EXPECT_EQ(recorder.record().histories, ids.size());
    EXPECT_LE(recorder.record().histories, 2U);
    return ids;
  };
  recorder.step();
  // After some minutes those have one that sent most.
  for (int i = 0; i < 100; ++i) {
    offer("a", 1);
    offer("b", 20);
    offer("c", 2);
    offer("d", 30);
    RecorderFixture::step(recorder);
    (void)kept();
  }
  EXPECT_EQ(kept(), "bd");
  // Somewhat more is not enough.
  for (int i = 0; i < 100; ++i) {
    offer("b", 20);
    offer("c", 25);
    offer("d", 30);
    RecorderFixture::step(recorder);
  }
  EXPECT_EQ(kept(), "bd");
}

// So that the rates of a first look a second later come with sojourns.
TEST_F(BucketRecorderTest, SojournsOfABucketThatHasSentAreKnownAfterTheFirstStep) {
  configure("bucket_id: 'b' capacity: 10 leak_rate_bps: 8000 departure: DEPARTURE_AT_END");
  offer("b", 1);
  engine_.advance(kStep);
  recorder_.step();
  offer("b", 2);  // One waits for 1 s, the other one for 2 s.
  step();
  EXPECT_GT(row("b")->sojourn_p99_ns, 1'000'000'000U);
  step();
  EXPECT_EQ(row("b")->sojourn_p99_ns, 0U);
}

TEST_F(BucketRecorderTest, WithoutHistoriesThereAreRatesAndSojournsAllTheSame) {
  BucketRecorder recorder(node_->context().engine, node_->context().buckets,
                          node_->context().configuration, nullptr, 0);
  configure("bucket_id: 'b' capacity: 10 leak_rate_bps: 8000 departure: DEPARTURE_AT_END");
  recorder.step();
  for (int i = 0; i < 100; ++i) {
    offer("b", 2);
    RecorderFixture::step(recorder);
  }
  const BucketRow& row = recorder.record().table.rows().front();
  EXPECT_EQ(row.history, nullptr);
  EXPECT_FLOAT_EQ(row.bits_per_second, 8000);
  EXPECT_GT(row.sojourn_p50_ns, 500'000'000U);
  EXPECT_EQ(recorder.record().histories, 0U);
}

class RecordedRoundTrips : public SampledFixture {
 protected:
  // A step in which each bucket also sends: without that it would have no history.
  void step() {
    offer("down", 1);
    offer("up", 1);
    SampledFixture::step(recorder_);
  }
  const History& history(const std::string& id) {
    const BucketTable& table = recorder_.record().table;
    return *table.rows()[*table.find(id)].history;
  }
  StepRoundTrips last(const std::string& id, traffic::Side side) {
    return history(id).at(history(id).next() - 1).round_trips[static_cast<std::size_t>(side)];
  }

  BucketRecorder recorder_{node_->context().engine, node_->context().buckets,
                           node_->context().configuration, node_->context().traffic, 10'000};
};

TEST_F(RecordedRoundTrips, AreThoseOfTheStep) {
  using traffic::Side;
  round_trip(Duration{5'000'000});  // Before the first look.
  recorder_.step();
  step();
  EXPECT_FALSE(history("down").has(Side::kDestination));
  const std::size_t without = history("down").memory_bytes();
  for (const int ms : {30, 10, 20}) round_trip(Duration{ms * 1'000'000});
  step();
  EXPECT_NEAR(static_cast<double>(last("down", Side::kDestination).p50_ns), 20e6, 7000);
  EXPECT_NEAR(static_cast<double>(last("down", Side::kDestination).p90_ns), 20e6, 7000);
  EXPECT_NEAR(static_cast<double>(last("up", Side::kSource).p50_ns), 20e6, 7000);
  EXPECT_FALSE(history("down").has(Side::kSource));
  EXPECT_FALSE(history("up").has(Side::kDestination));
  EXPECT_EQ(history("down").memory_bytes(), without + 1216);
  step();
  EXPECT_EQ(last("down", Side::kDestination).p50_ns, 0U);
  EXPECT_EQ(last("down", Side::kDestination).p90_ns, 0U);
  round_trip(Duration{90'000'000});
  step();
  EXPECT_NEAR(static_cast<double>(last("down", Side::kDestination).p90_ns), 90e6, 31'000);
}

TEST_F(RecordedRoundTrips, LessThanAMicrosecondIsNotNothing) {
  recorder_.step();
  round_trip(Duration{300});
  step();
  EXPECT_EQ(last("down", traffic::Side::kDestination).p50_ns, 1000U);
}

}  // namespace
}  // namespace drip::control
