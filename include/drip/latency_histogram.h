// SPDX-License-Identifier: BSD-3-Clause
// Sojourn and lateness of a bucket's units: exact counts, one cache line written a departure.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/histogram.h"
#include "drip/sequence_lock.h"
#include "drip/time.h"

namespace drip {

/// The two histograms of a bucket; written once in RecentLatencies::kSlots departures, so never by
/// a bucket with fewer departures.
struct alignas(kCacheLineBytes) LatencyHistograms {
  std::array<BasicCounter<std::uint32_t>, kHistogramBins> sojourn;
  std::array<BasicCounter<std::uint32_t>, kHistogramBins> lateness;
};
static_assert(sizeof(LatencyHistograms) == 4 * kCacheLineBytes);

struct LatencyStats {
  HistogramCounts sojourn;
  HistogramCounts lateness;
};

/// Sums, maxima, and the bins of the latest departures, which are added to the histograms nine at a
/// time: two histograms are four cache lines, and with many buckets each departure would miss the
/// cache at two of them. One thread writes, any may read.
class alignas(kCacheLineBytes) RecentLatencies {
 public:
  static constexpr std::size_t kSlots = 9;

  [[gnu::always_inline]] void record(LatencyHistograms& histograms, TimePoint now, Duration sojourn,
                                     Duration lateness) {
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
      return flush(histograms);
    count_.store(static_cast<std::uint8_t>(count + 1), std::memory_order_release);
  }

  /// Prefetches what the next record() will write of the histograms, if anything: the latencies of
  /// one bucket mostly fall into the same bins.
  void prefetch_histograms(const LatencyHistograms& histograms) const {
    if (count_.load(std::memory_order_relaxed) + 1U != kSlots) return;
    const std::uint16_t bins = slots_[0].get();
    prefetch_to_write(&histograms.sojourn[bins & 0xff]);
    prefetch_to_write(&histograms.lateness[bins >> 8]);
  }

  /// Goes on where `from`, which rests, has stopped; what was recorded here is forgotten.
  void continue_from(const RecentLatencies& from, const LatencyHistograms& from_histograms,
                     LatencyHistograms& histograms) {
    sojourn_sum_ns_.set(from.sojourn_sum_ns_.get());
    sojourn_max_ns_.set(from.sojourn_max_ns_.get());
    lateness_sum_ns_.set(from.lateness_sum_ns_.get());
    lateness_max_ns_.set(from.lateness_max_ns_.get());
    last_departure_ns_.set(from.last_departure_ns_.get());
    for (std::size_t i = 0; i < kSlots; ++i) slots_[i].set(from.slots_[i].get());
    if (!from.flushed()) {
      count_.store(from.count_.load(std::memory_order_relaxed), std::memory_order_release);
      return;
    }
    flushes_.begin_write();
    for (std::size_t i = 0; i < kHistogramBins; ++i) {
      histograms.sojourn[i].set(from_histograms.sojourn[i].get());
      histograms.lateness[i].set(from_histograms.lateness[i].get());
    }
    count_.store(from.count_.load(std::memory_order_relaxed), std::memory_order_relaxed);
    flushes_.end_write();
  }

  /// Any thread.
  [[nodiscard]] LatencyStats read(const LatencyHistograms& histograms) const {
    LatencyStats stats;
    // A sequence lock, read again if the writer has moved bins meanwhile. It does so once in nine
    // departures, for some ns; a reader that still finds it locked waits for a writer that has lost
    // its CPU.
    for (int tries = 0; tries < kMostTries; ++tries) {
      if (tries >= kTriesAtOnce) std::this_thread::sleep_for(kPause);
      const std::uint32_t version = flushes_.begin_read();
      stats = {};
      if (version != 0) {
        for (std::size_t i = 0; i < kHistogramBins; ++i) {
          stats.sojourn.counts[i] = histograms.sojourn[i].get();
          stats.lateness.counts[i] = histograms.lateness[i].get();
        }
      }
      const std::uint8_t count = count_.load(std::memory_order_acquire);
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t bins = slots_[i].get();
        ++stats.sojourn.counts[bins & 0xff];
        ++stats.lateness.counts[bins >> 8];
      }
      if (flushes_.is_valid(version)) break;
    }
    stats.sojourn.sum_ns = sojourn_sum_ns_.get();
    stats.sojourn.max_ns = sojourn_max_ns_.get();
    stats.lateness.sum_ns = lateness_sum_ns_.get();
    stats.lateness.max_ns = lateness_max_ns_.get();
    return stats;
  }
  [[nodiscard]] TimePoint last_departure() const { return TimePoint{last_departure_ns_.get()}; }
  /// Whether the histograms hold anything of this bucket.
  [[nodiscard]] bool flushed() const { return flushes_.written(); }

 private:
  static constexpr int kTriesAtOnce = 100;
  static constexpr int kMostTries = kTriesAtOnce + 10'000;  // A second.
  static constexpr std::chrono::microseconds kPause{100};

  // Adds all slots, the last one included, to the histograms.
  [[gnu::noinline]] void flush(LatencyHistograms& histograms) {
    flushes_.begin_write();
    for (const auto& slot : slots_) {
      histograms.sojourn[slot.get() & 0xff].add(1);
      histograms.lateness[slot.get() >> 8].add(1);
    }
    count_.store(0, std::memory_order_relaxed);
    flushes_.end_write();
  }

  Counter sojourn_sum_ns_;
  Counter sojourn_max_ns_;
  Counter lateness_sum_ns_;
  Counter lateness_max_ns_;
  Counter last_departure_ns_;
  SequenceLock flushes_;                                   // Of the histograms and count_.
  std::array<BasicCounter<std::uint16_t>, kSlots> slots_;  // Bin of the sojourn | lateness << 8.
  std::atomic<std::uint8_t> count_{0};
};
static_assert(sizeof(RecentLatencies) == kCacheLineBytes);

}  // namespace drip
