// SPDX-License-Identifier: BSD-3-Clause
// The latencies of a bucket's departures: exact at every moment, whether they lie in the latest few
// or in the histograms.
#include "drip/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace drip {
namespace {

constexpr Duration kShort{100};       // Bin 0.
constexpr Duration kLong{1'000'000};  // Bin 13.

TEST(LatencyHistograms, IsExactAfterEachDeparture) {
  LatencyHistograms histograms;
  RecentLatencies recent;
  HistogramCounts sojourn;
  HistogramCounts lateness;
  for (int i = 1; i <= 100; ++i) {
    const Duration stayed = i % 3 == 0 ? kLong : Duration{i * 70};
    const Duration late = i % 5 == 0 ? Duration{i * 1000} : Duration{0};
    recent.record(histograms, TimePoint{1000} + Duration{i}, stayed, late);
    for (auto [counts, span] : {std::pair(&sojourn, stayed), std::pair(&lateness, late)}) {
      ++counts->counts[histogram_bin(span)];
      counts->sum_ns += static_cast<std::uint64_t>(span.ns);
      counts->max_ns = std::max(counts->max_ns, static_cast<std::uint64_t>(span.ns));
    }
    const LatencyStats reading = recent.read(histograms);
    ASSERT_EQ(reading.sojourn.counts, sojourn.counts) << "after " << i;
    ASSERT_EQ(reading.lateness.counts, lateness.counts) << "after " << i;
    ASSERT_EQ(reading.sojourn.sum_ns, sojourn.sum_ns);
    ASSERT_EQ(reading.sojourn.max_ns, sojourn.max_ns);
    ASSERT_EQ(reading.lateness.sum_ns, lateness.sum_ns);
    ASSERT_EQ(reading.lateness.max_ns, lateness.max_ns);
    ASSERT_EQ(recent.last_departure(), TimePoint{1000} + Duration{i});
    // The histograms are not written until the latest few are full.
    ASSERT_EQ(recent.flushed(), i >= static_cast<int>(RecentLatencies::kSlots)) << "after " << i;
  }
}

TEST(LatencyHistograms, WhatTheHistogramsHoldIsNotReadBeforeTheFirstFlush) {
  // Of another bucket that had the slot before, or memory that was never touched.
  LatencyHistograms histograms;
  histograms.sojourn[3].set(7);
  RecentLatencies recent;
  recent.record(histograms, TimePoint{1}, kShort, Duration{0});
  EXPECT_EQ(recent.read(histograms).sojourn.total(), 1U);
}

TEST(LatencyHistograms, SpansBelowZeroCountAsNone) {
  LatencyHistograms histograms;
  RecentLatencies recent;
  recent.record(histograms, TimePoint{1}, Duration{-5}, Duration{-1});
  const LatencyStats reading = recent.read(histograms);
  EXPECT_EQ(reading.sojourn.counts[0], 1U);
  EXPECT_EQ(reading.sojourn.sum_ns, 0U);
  EXPECT_EQ(reading.lateness.max_ns, 0U);
}

TEST(LatencyHistograms, AReaderNeverSeesAFlushHalfDone) {
  LatencyHistograms histograms;
  RecentLatencies recent;
  std::atomic<std::uint64_t> begun{0};
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> stop{false};
  constexpr std::uint64_t kDepartures = 20'000;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kDepartures && !stop; ++i) {
      begun.store(i + 1, std::memory_order_release);
      recent.record(histograms, TimePoint{i}, i % 2 == 0 ? kShort : kLong, kShort);
      done.store(i + 1, std::memory_order_release);
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  const auto watch = [&] {
    const std::uint64_t least = done.load(std::memory_order_acquire);
    const LatencyStats reading = recent.read(histograms);
    const std::uint64_t most = begun.load(std::memory_order_acquire);
    const std::uint64_t seen[] = {reading.sojourn.total(), reading.lateness.total()};
    for (const std::uint64_t total : seen) {
      ASSERT_GE(total, least);
      ASSERT_LE(total, most);
    }
  };
  while (done.load() < kDepartures && !HasFailure()) watch();
  stop = true;
  writer.join();
  const LatencyStats reading = recent.read(histograms);
  EXPECT_EQ(reading.sojourn.counts[histogram_bin(kShort)], done.load() - done.load() / 2);
  EXPECT_EQ(reading.sojourn.counts[histogram_bin(kLong)], done.load() / 2);
}

}  // namespace
}  // namespace drip
