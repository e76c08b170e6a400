// SPDX-License-Identifier: BSD-3-Clause
// A bucket that runs the real virtual schedule in virtual time, in the plainest way: what tests
// compare with.
#pragma once

#include <algorithm>
#include <deque>

#include "drip/histogram.h"
#include "drip/virtual_schedule.h"
#include "engine/engine.h"

namespace drip::control {

class FakeBucket {
 public:
  FakeBucket(const BucketSettings& settings, TimePoint now) : schedule_(now) {
    change(settings, now);
  }

  void change(const BucketSettings& settings, TimePoint now) {
    const ServicePeriods before = periods_;
    settings_ = settings;
    periods_ = ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
    if (!units_.empty()) {
      schedule_.rescale(now, before.service(units_.front().bytes), service(units_.front()));
    }
  }

  /// `record` is null for a packet.
  Admission admit(RequestRecord* record, std::uint32_t bytes, TimePoint now,
                  const WaitLimits& limits = {}) {
    run_until(now);
    const Unit unit{record, bytes, now};
    Admission admission{RejectReason::kAdmitted, units_.size() + 1, wait_behind_all(now)};
    RejectReason reason = check_admission(bytes, now);
    const Duration until_departure =
        settings_.departure == Departure::kAtEnd
            ? admission.wait + Duration{static_cast<std::int64_t>(service(unit).ns)}
            : admission.wait;
    if (reason == RejectReason::kAdmitted &&
        (admission.wait > limits.start || until_departure > limits.departure)) {
      reason = RejectReason::kWaitTooLong;
    }
    if (reason != RejectReason::kAdmitted) {
      ++stats_.rejected[static_cast<std::size_t>(reason)];
      stats_.rejected_bytes += bytes;
      return {reason, 0, reason == RejectReason::kWaitTooLong ? admission.wait : Duration{}};
    }
    if (record != nullptr) {
      record->wire_bytes = bytes;
      record->sequence = static_cast<std::uint32_t>(stats_.admitted);
      record->bytes_before = stats_.admitted_bytes;
      record->arrival = now;
      record->state.store(RequestRecord::State::kQueued, std::memory_order_release);
    }
    ++stats_.admitted;
    stats_.admitted_bytes += bytes;
    if (units_.empty()) schedule_.begin(now, service(unit), settings_.departure);
    units_.push_back(unit);
    return admission;
  }

  /// Units without a name.
  void admit_units(UnitsToAdmit& units, TimePoint now) {
    run_until(now);
    std::uint32_t fit = 0;
    const std::deque<Unit> units_before = units_;
    const BucketStats before = stats_;
    const VirtualSchedule schedule_before = schedule_;
    units.admitted = 0;
    for (RejectReason reason{}; fit < units.count; ++fit) {
      const Admission one = admit(nullptr, units.wire_bytes, now, units.limits);
      reason = one.reason;
      if (reason != RejectReason::kAdmitted) {
        if (fit == 0) units.admission = one;
        units.admission.reason = reason;
        break;
      }
      if (fit == 0) units.admission = one;
    }
    const std::uint32_t rejected =
        units.all_or_none && fit < units.count ? units.count : units.count - fit;
    if (units.peek || (units.all_or_none && fit < units.count)) {
      units_ = units_before;
      stats_ = before;
      schedule_ = schedule_before;
    }
    if (rejected > 0 && !units.peek) {
      const auto reason = static_cast<std::size_t>(units.admission.reason);
      stats_.rejected[reason] = before.rejected[reason] + rejected;
      stats_.rejected_bytes = before.rejected_bytes + std::uint64_t{rejected} * units.wire_bytes;
    }
    units.admitted = units.count - rejected;
    if (units.admitted == 0) units.admission.position = 0;
  }

  void release(const RequestRecord& record, TimePoint now) {
    run_until(now);
    const auto unit = std::find_if(units_.begin(), units_.end(),
                                   [&](const Unit& u) { return u.record == &record; });
    if (unit == units_.end()) return;
    if (unit == units_.begin() && settings_.departure == Departure::kAtEnd) {
      if (units_.size() > 1) {
        schedule_.replace_head(now, units_[1].arrival, service(*unit), service(units_[1]));
      } else {
        schedule_.give_up_head(now, service(*unit));
      }
    }
    count_dropped(*unit);
    unit->record->state.store(RequestRecord::State::kReleased, std::memory_order_release);
    units_.erase(unit);
  }

  /// Those who wait learn that `fate` became of them.
  std::uint64_t drop_all(RequestRecord::State fate) {
    const std::uint64_t dropped = units_.size();
    for (const Unit& unit : units_) {
      count_dropped(unit);
      if (unit.record != nullptr) {
        unit.record->state.store(fate, std::memory_order_release);
      }
    }
    units_.clear();
    return dropped;
  }

  void run_until(TimePoint now) {
    while (!units_.empty() && schedule_.due() <= now) {
      const TimePoint time = schedule_.due();
      const Unit unit = units_.front();
      units_.pop_front();
      schedule_.depart(time, service(unit), settings_.departure, settings_.max_catchup);
      ++stats_.departed;
      stats_.departed_bytes += unit.bytes;
      stats_.last_departure = time;
      sojourn_.record(time - unit.arrival);
      lateness_.record(Duration{});
      if (!units_.empty()) {
        schedule_.begin(units_.front().arrival, service(units_.front()), settings_.departure);
      }
      if (unit.record == nullptr) continue;
      unit.record->departed = time;
      unit.record->state.store(RequestRecord::State::kDeparted, std::memory_order_release);
    }
  }

  [[nodiscard]] BucketStats read() const {
    BucketStats reading = stats_;
    reading.backlog = units_.size();
    for (const Unit& unit : units_) reading.backlog_bytes += unit.bytes;
    reading.departure_time = schedule_.due();
    reading.periods = periods_;
    reading.sojourn = sojourn_.read();
    reading.lateness = lateness_.read();
    reading.ring_slots = 1024;
    return reading;
  }

  [[nodiscard]] std::size_t backlog() const { return units_.size(); }
  /// By brute force: where the request is and when its service starts. REQUIRES: it waits.
  [[nodiscard]] Admission place_of(const RequestRecord& record, TimePoint now) const {
    Admission place{RejectReason::kAdmitted, 0, {}};
    FinePoint start = schedule_.departure_time();
    for (const Unit& unit : units_) {
      ++place.position;
      if (unit.record == &record) break;
      const bool being_served = settings_.departure == Departure::kAtEnd && place.position == 1;
      if (!being_served) start = start + service(unit);
    }
    const bool served = settings_.departure == Departure::kAtEnd && place.position == 1;
    if (!served) place.wait = std::max(start.ceil() - now, Duration{});
    return place;
  }

  [[nodiscard]] Duration busy_for(TimePoint now) {
    run_until(now);
    return wait_behind_all(now);
  }
  /// Without the units that the real engine puts there.
  void occupy(TimePoint until) { schedule_ = VirtualSchedule(until); }

  bool draining = false;

 private:
  struct Unit {
    RequestRecord* record = nullptr;
    std::uint32_t bytes = 0;
    TimePoint arrival;
  };

  [[nodiscard]] FineSpan service(const Unit& unit) const { return periods_.service(unit.bytes); }
  [[nodiscard]] RejectReason check_admission(std::uint32_t bytes, TimePoint now) const {
    if (draining) return RejectReason::kDraining;
    const bool serving = settings_.departure == Departure::kAtStart && schedule_.in_service(now);
    if (units_.size() + (serving ? 1 : 0) >= settings_.capacity) return RejectReason::kFull;
    std::uint64_t waiting = bytes;
    for (const Unit& unit : units_) waiting += unit.bytes;
    if (settings_.capacity_bytes > 0 && waiting > settings_.capacity_bytes) {
      return RejectReason::kFullBytes;
    }
    return RejectReason::kAdmitted;
  }
  [[nodiscard]] Duration wait_behind_all(TimePoint now) const {
    FinePoint start = schedule_.departure_time();
    for (std::size_t i = 0; i < units_.size(); ++i) {
      if (i > 0 || settings_.departure == Departure::kAtStart) start = start + service(units_[i]);
    }
    return std::max(start.ceil() - now, Duration{});
  }
  void count_dropped(const Unit& unit) {
    ++stats_.dropped;
    stats_.dropped_bytes += unit.bytes;
  }

  BucketSettings settings_;
  ServicePeriods periods_;
  VirtualSchedule schedule_;
  std::deque<Unit> units_;
  BucketStats stats_;
  Histogram sojourn_;
  Histogram lateness_;
};

}  // namespace drip::control
