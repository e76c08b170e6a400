// SPDX-License-Identifier: BSD-3-Clause
// Reads the clocks, publishes the line and tells what the discipline finds.
#include "datapath/clock/tsc_clock.h"

#include <cpuid.h>
#include <x86intrin.h>

#include <chrono>
#include <ctime>
#include <limits>

#include "base/log.h"
#include "base/thread.h"

namespace drip::datapath {
namespace {

constexpr std::chrono::milliseconds kFirstCalibration{50};
constexpr std::chrono::milliseconds kWatchInterval{250};
// A sample that is less certain is taken again: something interrupted all of its readings.
constexpr double kMaxUncertaintySeconds = 20e-6;

// CPUID 80000007h EDX bit 8 (Intel SDM 18.17.1, AMD APM 13.2.4): the TSC runs at one rate in every
// power state.
bool tsc_is_invariant() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 8)) != 0;
}

std::uint64_t read_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}
std::uint64_t raw_ns() { return read_ns(CLOCK_MONOTONIC_RAW); }

}  // namespace

TscClock::TscClock()
    : use_tsc_(tsc_is_invariant()), discipline_(calibrated()), first_hz_(discipline_.tsc_hz()) {
  if (!use_tsc_) {
    publish(TscLine{0, 0, std::uint64_t{1} << TscLine::kSlopeBits});
    return;
  }
  publish(discipline_.line());
  watcher_ = start_thread("drip-clock", [this] { watch(); });
}

ClockDiscipline TscClock::calibrated() const {
  const ClockSample first = sample();
  std::this_thread::sleep_for(kFirstCalibration);
  return {first, sample()};
}

TscClock::~TscClock() {
  stop_ = true;
  if (watcher_.joinable()) watcher_.join();
}

std::uint64_t TscClock::ticks() const { return use_tsc_ ? __rdtsc() : raw_ns(); }

// The closest pair of several, since an interrupt may come between two readings.
ClockSample TscClock::sample() const {
  ClockSample best{.uncertainty = std::numeric_limits<std::uint64_t>::max()};
  for (int i = 0; i < 16; ++i) {
    const std::uint64_t before = ticks();
    const std::uint64_t raw = raw_ns();
    const std::uint64_t gap = ticks() - before;
    if (gap < best.uncertainty) {
      best = {.tsc = before + gap / 2,
              .raw_ns = raw,
              .monotonic_ns = read_ns(CLOCK_MONOTONIC),
              .uncertainty = gap};
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
    const ClockSample now = sample();
    if (static_cast<double>(now.uncertainty) > first_hz_ * kMaxUncertaintySeconds) continue;
    next = std::chrono::steady_clock::now() + kWatchInterval;
    const MutexLock lock(mutex_);
    const ClockEvent event = discipline_.update(now);
    publish(discipline_.line());
    if (event.kind != ClockEvent::Kind::kNone) note(event, discipline_.line().at(now.tsc));
  }
}

void TscClock::note(const ClockEvent& event, TimePoint now) {
  stats_.last_parting = now;
  if (event.kind == ClockEvent::Kind::kRateChange) {
    ++stats_.rate_changes;
    stats_.last_rate_change_ppm = event.rate_ppm;
    log_warning(
        "clock: the TSC's rate has changed by {:+.0f} ppm against CLOCK_MONOTONIC_RAW; "
        "rates follow CLOCK_MONOTONIC_RAW",
        event.rate_ppm);
    return;
  }
  const bool tsc = event.kind == ClockEvent::Kind::kTscJump;
  ++stats_.jumps;
  stats_.last_jump = tsc ? Duration{-event.jump.ns} : event.jump;
  log_warning(
      "clock: {} has jumped by {:+.6f} s (a virtual machine was paused or moved?); rates "
      "are kept",
      tsc ? "the TSC" : "CLOCK_MONOTONIC_RAW", static_cast<double>(event.jump.ns) * 1e-9);
}

ClockStats TscClock::read() const {
  const ClockSample moment = sample();
  const MutexLock lock(mutex_);
  ClockStats stats = stats_;
  stats.tsc_hz = discipline_.tsc_hz();
  stats.drift_ppm = (stats.tsc_hz / first_hz_ - 1) * 1e6;
  stats.offset = use_tsc_ ? discipline_.offset(moment) : Duration{};
  stats.invariant_tsc = use_tsc_;
  return stats;
}

}  // namespace drip::datapath
