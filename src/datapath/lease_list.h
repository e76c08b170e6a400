// SPDX-License-Identifier: BSD-3-Clause
// The leased buckets of one transmitter, and when their leases end.
#pragma once

#include <atomic>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/virtual_schedule.h"
#include "engine/lease.h"

namespace drip::datapath {

/// LeasedRates as service times.
struct LeasedPeriods {
  ServicePeriods periods;
  bool none = true;

  static LeasedPeriods of(const LeasedRates& rates) {
    return {ServicePeriods::of_rates(rates.units_per_second, rates.bits_per_second), rates.none()};
  }
};

/// What is to become of one bucket when its lease ends. Control makes and frees the memory; while
/// it is linked the transmitter alone writes it.
struct LeaseTerms {
  std::uint32_t slot = 0;
  LeasedPeriods fallback;
  bool fallback_ends = true;

 private:
  friend class LeaseList;
  LeaseTerms* next_ = nullptr;
  LeaseTerms* previous_ = nullptr;
  bool linked_ = false;
};

/// All but the calls that say otherwise are for the transmitter's thread.
class LeaseList {
 public:
  /// So far away that it never comes: the points of Drip's clock compare within 2^63 ns.
  static constexpr Duration kNever{std::int64_t{1} << 62};

  explicit LeaseList(TimePoint now) { set_ends({now + kNever, now + kNever}); }

  void link(LeaseTerms& terms) {
    if (terms.linked_) return;
    terms.linked_ = true;
    terms.previous_ = nullptr;
    terms.next_ = first_;
    if (first_ != nullptr) first_->previous_ = &terms;
    first_ = &terms;
  }
  void unlink(LeaseTerms& terms) {
    if (!terms.linked_) return;
    terms.linked_ = false;
    (terms.previous_ != nullptr ? terms.previous_->next_ : first_) = terms.next_;
    if (terms.next_ != nullptr) terms.next_->previous_ = terms.previous_;
  }

  /// One thread of control.
  void set_ends(LeaseEnds ends) {
    fallback_end_ns_.store(ends.fallback.ns, std::memory_order_relaxed);
    share_end_ns_.store(ends.share.ns, std::memory_order_release);
  }

  [[nodiscard]] bool share_ended(TimePoint now) const {
    return now >= TimePoint{share_end_ns_.load(std::memory_order_acquire)};
  }
  [[nodiscard]] bool fallback_ended(TimePoint now) const {
    return now >= TimePoint{fallback_end_ns_.load(std::memory_order_relaxed)};
  }
  /// Whether an end has come that lapse() was not called for. Looked at before each departure.
  [[nodiscard]] bool lapsed(TimePoint now) const {
    if (!share_ended(now)) [[likely]]
      return false;
    return share_end_ns_.load(std::memory_order_relaxed) != lapsed_share_end_ns_ ||
           (fallback_ended(now) &&
            fallback_end_ns_.load(std::memory_order_relaxed) != lapsed_fallback_end_ns_);
  }
  /// Calls visit(terms, whether the fallback is over) for each leased bucket.
  template <class Visitor>
  void lapse(TimePoint now, Visitor visit) {
    lapsed_share_end_ns_ = share_end_ns_.load(std::memory_order_relaxed);
    const bool fallback_over = fallback_ended(now);
    if (fallback_over) {
      lapsed_fallback_end_ns_ = fallback_end_ns_.load(std::memory_order_relaxed);
    }
    for (LeaseTerms* terms = first_; terms != nullptr; terms = terms->next_) {
      visit(*terms, terms->fallback_ends && fallback_over);
    }
    lapses_.add(1);
  }
  /// Any thread.
  [[nodiscard]] std::uint64_t lapses() const { return lapses_.get(); }

 private:
  // Control writes, the transmitter reads: a line of their own.
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> share_end_ns_{0};
  std::atomic<std::uint64_t> fallback_end_ns_{0};
  // The ends for which lapse() was called.
  alignas(kCacheLineBytes) std::uint64_t lapsed_share_end_ns_ = 0;
  std::uint64_t lapsed_fallback_end_ns_ = 0;
  LeaseTerms* first_ = nullptr;
  Counter lapses_;
};

}  // namespace drip::datapath
