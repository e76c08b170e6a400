// SPDX-License-Identifier: BSD-3-Clause
// Calibrates the TSC and corrects the clock.
#include "datapath/clock/tsc_clock.h"

#include <cpuid.h>
#include <x86intrin.h>

#include <chrono>
#include <ctime>
#include <limits>

#include "base/thread.h"

namespace drip::datapath {
namespace {

constexpr std::chrono::milliseconds kFirstCalibration{50};
constexpr std::chrono::milliseconds kWatchInterval{1000};
// The time in which an offset is corrected: longer than the interval, so that it never overshoots.
constexpr Duration kBendHorizon{4'000'000'000};

// CPUID 80000007h EDX bit 8 (Intel SDM 18.17.1, AMD APM 13.2.4): the TSC runs at one rate in every
// power state.
bool tsc_is_invariant() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 8)) != 0;
}

std::uint64_t raw_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

double ticks_per_second(std::uint64_t ticks, std::uint64_t ns) {
  return static_cast<double>(ticks) * 1e9 / static_cast<double>(ns);
}

}  // namespace

TscClock::TscClock() : use_tsc_(tsc_is_invariant()), first_(sample()) {
  if (!use_tsc_) {
    first_hz_ = 1e9;
    hz_ = 1e9;
    publish(TscLine{0, 0, std::uint64_t{1} << TscLine::kSlopeBits});
    return;
  }
  std::this_thread::sleep_for(kFirstCalibration);
  const Sample second = sample();
  first_hz_ = ticks_per_second(second.tsc - first_.tsc, second.raw_ns - first_.raw_ns);
  hz_ = first_hz_;
  publish(TscLine::through(second.tsc, second.raw_ns, first_hz_));
  watcher_ = start_thread("drip-clock", [this] { watch(); });
}

TscClock::~TscClock() {
  stop_ = true;
  if (watcher_.joinable()) watcher_.join();
}

std::uint64_t TscClock::ticks() const { return use_tsc_ ? __rdtsc() : raw_ns(); }

// A TSC count and a raw time of one moment: the closest pair of several, since an interrupt may
// come between the two.
TscClock::Sample TscClock::sample() const {
  Sample best{};
  std::uint64_t best_gap = std::numeric_limits<std::uint64_t>::max();
  for (int i = 0; i < 16; ++i) {
    const std::uint64_t before = ticks();
    const std::uint64_t raw = raw_ns();
    const std::uint64_t gap = ticks() - before;
    if (gap < best_gap) {
      best_gap = gap;
      best = {before + gap / 2, raw};
    }
  }
  return best;
}

TscLine TscClock::line(std::uint32_t& version) const {
  for (;;) {
    version = lock_.begin_read();
    const TscLine copy{origin_tsc_.load(std::memory_order_relaxed),
                       origin_ns_.load(std::memory_order_relaxed),
                       slope_.load(std::memory_order_relaxed)};
    if (lock_.is_valid(version)) return copy;
  }
}

void TscClock::publish(const TscLine& line) {
  lock_.begin_write();
  origin_tsc_.store(line.origin_tsc, std::memory_order_relaxed);
  origin_ns_.store(line.origin_ns, std::memory_order_relaxed);
  slope_.store(line.slope, std::memory_order_relaxed);
  lock_.end_write();
}

TimePoint TscClock::now() const {
  std::uint32_t version = 0;
  const TscLine present = line(version);
  return present.at(ticks());
}

void TscClock::watch() {
  auto next = std::chrono::steady_clock::now() + kWatchInterval;
  while (!stop_) {
    // Short sleeps: the destructor waits for this thread.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (std::chrono::steady_clock::now() < next) continue;
    next += kWatchInterval;
    const Sample now = sample();
    // The rate is measured over the whole life of the clock, so it becomes more exact with time.
    const double hz = ticks_per_second(now.tsc - first_.tsc, now.raw_ns - first_.raw_ns);
    hz_ = hz;
    std::uint32_t version = 0;
    const TscLine present = line(version);
    publish(
        present.bent_at(now.tsc, hz, present.at(now.tsc) - TimePoint{now.raw_ns}, kBendHorizon));
  }
}

ClockStats TscClock::read() const {
  const Sample moment = sample();
  std::uint32_t version = 0;
  const TscLine present = line(version);
  ClockStats stats;
  stats.tsc_hz = hz_;
  stats.drift_ppm = first_hz_ > 0 ? (hz_ / first_hz_ - 1) * 1e6 : 0;
  stats.offset = use_tsc_ ? present.at(moment.tsc) - TimePoint{moment.raw_ns} : Duration{};
  stats.invariant_tsc = use_tsc_;
  return stats;
}

}  // namespace drip::datapath
