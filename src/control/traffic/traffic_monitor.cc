// SPDX-License-Identifier: BSD-3-Clause
#include "control/traffic/traffic_monitor.h"

#include <algorithm>
#include <random>
#include <string>
#include <utility>

namespace drip::control {
namespace {

constexpr Duration kSweepPeriod{1'000'000'000};
constexpr std::size_t kSamplesAtOnce = 256;

std::uint64_t random_odd() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace

TrafficMonitor::TrafficMonitor(Engine& engine, const BucketRegistry& buckets,
                               const Configuration& configuration, std::uint32_t samples_per_second)
    : engine_(engine),
      names_(engine, buckets, configuration),
      swept_(engine.now()),
      planner_(samples_per_second),
      adjusted_(engine.now()),
      read_until_(engine.now()) {
  const std::uint64_t key = random_odd();
  for (std::uint32_t i = 0; i < engine.worker_count(); ++i) {
    rings_.push_back(std::make_unique<SampleRing>(key));
    rings_.back()->plan.store(planner_.plan(), std::memory_order_relaxed);
  }
}

void TrafficMonitor::begin() {
  std::vector<SampleRing*> rings;
  for (const auto& ring : rings_) rings.push_back(ring.get());
  engine_.begin_sampling(rings);
  sampling_ = true;
  thread_ = std::make_unique<WorkThread>("drip-traffic", kPeriod, [this] { step(); });
}

void TrafficMonitor::end() {
  thread_.reset();
  if (std::exchange(sampling_, false)) engine_.end_sampling();
}

void TrafficMonitor::step() {
  const TimePoint now = engine_.now();
  const bool sweeps = now - swept_ >= kSweepPeriod;
  if (sweeps) swept_ = now;
  // It may wait for a change of the configuration; who reads does not.
  std::vector<std::string> deleted;
  if (sweeps && names_.stale()) deleted = names_.refresh();
  MutexLock lock(mutex_);
  // A bucket that is made again has nothing of the one before.
  for (const std::string& bucket : deleted) table_.forget_bucket(bucket);
  take_samples(now);
  if (now - adjusted_ >= traffic::SamplePlanner::kPeriod) adjust_plan(now);
  if (sweeps) table_.sweep(now);
}

void TrafficMonitor::take_samples(TimePoint until) {
  std::array<PacketSample, kSamplesAtOnce> some;
  std::uint64_t lost = 0;
  for (const auto& ring : rings_) {
    for (std::size_t count = some.size(); count == some.size();) {
      count = ring->samples.pop(some);
      samples_.insert(samples_.end(), some.begin(),
                      some.begin() + static_cast<std::ptrdiff_t>(count));
    }
    lost += ring->lost.load(std::memory_order_relaxed);
  }
  taken_.lost += lost - totals_.lost;
  totals_.lost = lost;
  std::ranges::stable_sort(samples_, {}, &PacketSample::at);
  // Of what came since another worker may still have an older one.
  const auto end = std::ranges::lower_bound(samples_, until, {}, &PacketSample::at);
  for (auto sample = samples_.begin(); sample != end; ++sample) {
    ++totals_.samples;
    taken_.for_flows += sample->is_tcp ? 1 : 0;
    taken_.at_random += sample->stands_for > 0 ? 1 : 0;
    taken_.packets += sample->stands_for;
    if (const std::string_view bucket = names_.find(*sample); !bucket.empty()) {
      table_.add(*sample, bucket);
    }
  }
  samples_.erase(samples_.begin(), end);
  read_until_ = until;
}

void TrafficMonitor::adjust_plan(TimePoint now) {
  planner_.adjust(std::exchange(taken_, {}), now - adjusted_, now);
  adjusted_ = now;
  for (const auto& ring : rings_) {
    ring->plan.store(planner_.plan(), std::memory_order_relaxed);
  }
}

std::optional<TrafficReading> TrafficMonitor::read(std::string_view bucket) const {
  const TimePoint now = engine_.now();
  MutexLock lock(mutex_);
  traffic::BucketTraffic* const traffic = table_.find(bucket);
  if (traffic == nullptr) return std::nullopt;
  TrafficReading reading;
  for (std::size_t side = 0; side < traffic::kSides; ++side) {
    reading.round_trips[side].all = traffic->round_trips[side].all;
    reading.round_trips[side].recent_us = traffic->round_trips[side].recent.sorted_us(now);
  }
  reading.segments = traffic->segments;
  reading.retransmitted_segments = traffic->retransmitted_segments;
  reading.flows = traffic->flows.read(now);
  return reading;
}

TimePoint TrafficMonitor::read_until() const {
  MutexLock lock(mutex_);
  return read_until_;
}

std::array<std::vector<std::uint32_t>, traffic::kSides> TrafficMonitor::round_trips_us(
    std::string_view bucket, TimePoint begin, TimePoint end) const {
  std::array<std::vector<std::uint32_t>, traffic::kSides> sides;
  MutexLock lock(mutex_);
  const traffic::BucketTraffic* const traffic = table_.find(bucket);
  if (traffic == nullptr) return sides;
  for (std::size_t side = 0; side < traffic::kSides; ++side) {
    sides[side] = traffic->round_trips[side].recent.sorted_us_between(begin, end);
  }
  return sides;
}

TrafficTotals TrafficMonitor::totals() const {
  MutexLock lock(mutex_);
  TrafficTotals totals = totals_;
  totals.refused = table_.refused();
  totals.plan = planner_.plan();
  return totals;
}

}  // namespace drip::control
