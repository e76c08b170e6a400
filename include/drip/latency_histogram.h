// SPDX-License-Identifier: BSD-3-Clause
// How long a bucket's units stayed and how late they left: exact, and one cache line a departure.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/histogram.h"
#include "drip/time.h"

namespace drip::datapath {

/// The two histograms of a bucket; touched once in RecentLatencies::kSlots departures, and by a
/// bucket that has let less go never.
struct alignas(kCacheLineBytes) LatencyHistograms {
  std::array<BasicCounter<std::uint32_t>, kHistogramBins> sojourn;
  std::array<BasicCounter<std::uint32_t>, kHistogramBins> lateness;
};
static_assert(sizeof(LatencyHistograms) == 4 * kCacheLineBytes);

struct LatencyStats {
  HistogramCounts sojourn;
  HistogramCounts lateness;
};

/// Sums, maxima, and the bins of the latest departures, which go to the history by the dozen: two
/// histograms are four cache lines, and with many buckets each departure would miss the cache at
/// two of them. One thread writes, any may read.
class alignas(kCacheLineBytes) RecentLatencies {
 public:
  static constexpr std::size_t kSlots = 9;

  void record(LatencyHistograms& history, TimePoint now, Duration sojourn, Duration lateness) {
    const auto stayed = static_cast<std::uint64_t>(sojourn.ns > 0 ? sojourn.ns : 0);
    const auto late = static_cast<std::uint64_t>(lateness.ns > 0 ? lateness.ns : 0);
    sojourn_sum_ns_.add(stayed);
    sojourn_max_ns_.raise_to(stayed);
    lateness_sum_ns_.add(late);
    lateness_max_ns_.raise_to(late);
    last_departure_ns_.set(now.ns);
    const std::uint8_t count = count_.load(std::memory_order_relaxed);
    slots_[count].set(
        static_cast<std::uint16_t>(histogram_bin(sojourn) | histogram_bin(lateness) << 8));
    if (count + 1U == kSlots) [[unlikely]]
      return flush(history);
    count_.store(static_cast<std::uint8_t>(count + 1), std::memory_order_release);
  }

  /// Asks the cache for what the next record() will touch of the history, if anything: spans of one
  /// bucket mostly fall into the same bins.
  void prefetch_history(const LatencyHistograms& history) const {
    if (count_.load(std::memory_order_relaxed) + 1U != kSlots) return;
    const std::uint16_t bins = slots_[0].get();
    __builtin_prefetch(&history.sojourn[bins & 0xff], 1);
    __builtin_prefetch(&history.lateness[bins >> 8], 1);
  }

  /// Any thread.
  [[nodiscard]] LatencyStats read(const LatencyHistograms& history) const {
    LatencyStats reading;
    // A sequence lock, tried again if the writer has moved bins meanwhile. It does so once in nine
    // departures, in some ns; who still meets it then waits for one that lost its CPU there.
    for (int tries = 0; tries < kMostTries; ++tries) {
      if (tries >= kTriesAtOnce) std::this_thread::sleep_for(kPause);
      const std::uint32_t before = flushes_.load(std::memory_order_acquire);
      reading = {};
      if (before != 0) {
        for (std::size_t i = 0; i < kHistogramBins; ++i) {
          reading.sojourn.counts[i] = history.sojourn[i].get();
          reading.lateness.counts[i] = history.lateness[i].get();
        }
      }
      const std::uint8_t count = count_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t bins = slots_[i].get();
        ++reading.sojourn.counts[bins & 0xff];
        ++reading.lateness.counts[bins >> 8];
      }
      std::atomic_thread_fence(std::memory_order_acquire);
      if ((before & 1) == 0 && flushes_.load(std::memory_order_relaxed) == before) break;
    }
    reading.sojourn.sum_ns = sojourn_sum_ns_.get();
    reading.sojourn.max_ns = sojourn_max_ns_.get();
    reading.lateness.sum_ns = lateness_sum_ns_.get();
    reading.lateness.max_ns = lateness_max_ns_.get();
    return reading;
  }
  [[nodiscard]] TimePoint last_departure() const { return TimePoint{last_departure_ns_.get()}; }
  /// Whether the history holds anything of this bucket.
  [[nodiscard]] bool flushed() const { return flushes_.load(std::memory_order_relaxed) != 0; }

 private:
  static constexpr int kTriesAtOnce = 100;
  static constexpr int kMostTries = kTriesAtOnce + 10'000;  // A second.
  static constexpr std::chrono::microseconds kPause{100};

  // All that waits in the slots, the last one included, goes to the history.
  [[gnu::noinline]] void flush(LatencyHistograms& history) {
    const std::uint32_t flushes = flushes_.load(std::memory_order_relaxed);
    flushes_.store(flushes + 1, std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    for (const auto& slot : slots_) {
      history.sojourn[slot.get() & 0xff].add(1);
      history.lateness[slot.get() >> 8].add(1);
    }
    count_.store(0, std::memory_order_relaxed);
    // 0 means never.
    flushes_.store(flushes + 2 == 0 ? 2 : flushes + 2, std::memory_order_release);
  }

  Counter sojourn_sum_ns_;
  Counter sojourn_max_ns_;
  Counter lateness_sum_ns_;
  Counter lateness_max_ns_;
  Counter last_departure_ns_;
  std::atomic<std::uint32_t> flushes_{0};                  // Odd while bins are being moved.
  std::array<BasicCounter<std::uint16_t>, kSlots> slots_;  // Bin of the sojourn | lateness << 8.
  std::atomic<std::uint8_t> count_{0};
};
static_assert(sizeof(RecentLatencies) == kCacheLineBytes);

}  // namespace drip::datapath
