// SPDX-License-Identifier: BSD-3-Clause
// The parts of spread roots that one transmitter has: their shares are applied, and their demand
// is told.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "datapath/spread/demand_estimate.h"
#include "datapath/spread/share_granter.h"
#include "datapath/spread/spread_root.h"
#include "drip/cache_line.h"
#include "drip/scheduler.h"
#include "engine/lease.h"

namespace drip::datapath {

/// The service times at `share` parts of `rates`; not shorter than they should be. No rate at all
/// where one of them would be below what a bucket can have.
struct SharePeriods {
  ServicePeriods periods;
  bool none = true;

  static SharePeriods of(const LeasedRates& rates, std::uint64_t share);
};

/// One root at one transmitter. Control makes it, and frees it once it is released; while it is
/// linked the transmitter alone uses it. Those of one root lie side by side, each in lines of its
/// own.
struct alignas(kCacheLineBytes) SpreadPart {
  SpreadRoot* root = nullptr;  ///< Outlives it.
  std::uint32_t core = 0;      ///< The transmitter, by its number.
  std::uint32_t slot = 0;      ///< The root's bucket there, of BucketSettings::rate_is_leased.
  LeasedRates rates;           ///< The whole ones.
  std::unique_ptr<ShareGranter> granter;  ///< At one of the transmitters.
  /// Set by the transmitter once it has let go of it, after SpreadRoot::finish().
  std::atomic<bool> released{false};

  [[nodiscard]] CoreLine& line() const { return (*root)[core]; }

 private:
  friend class TransmitterSpreads;
  SpreadPart* next_ = nullptr;  // Circular.
  SpreadPart* previous_ = nullptr;
  DemandEstimate demand_;
  TimePoint reported_;
  Duration period_;  // From then to the next report.
  std::uint64_t departed_ = 0;
  std::uint64_t departed_bytes_ = 0;
  // Each may be a line that is in no cache.
  static constexpr std::uint32_t kChildrenALook = 16;
  // The children of the last look, in their order; none: the next look begins with the first child.
  std::array<std::uint32_t, kChildrenALook> children_{};
  std::uint32_t child_count_ = 0;
  // Of all that were looked at since the first one was.
  std::uint64_t weight_ = 0;
  double guaranteed_ = 0;  // Of the whole rate.
};

/// Runs on the transmitter's thread; costs nothing where there is no spread root.
class TransmitterSpreads {
 public:
  /// Between two reports of a transmitter, and between two plans. Longer where the whole rate does
  /// not let kUnits go meanwhile, or what one transmitter sends would say nothing.
  static constexpr Duration kPeriod{128'000};
  static constexpr Duration kLongestPeriod{100'000'000};
  static constexpr int kUnits = 16;
  /// A thread with parts of spread roots does not sleep for longer: others wait for what it holds.
  static constexpr Duration kLongestSleep{1'000'000};

  explicit TransmitterSpreads(Scheduler& scheduler) : scheduler_(scheduler) {}

  /// The share that it holds is applied from now on, and each later one.
  void add(SpreadPart& part, TimePoint now);
  /// Other whole rates, at the same share.
  void change(SpreadPart& part, const LeasedRates& rates, TimePoint now);
  /// Its bucket keeps the rate that it has.
  void remove(SpreadPart& part);

  [[nodiscard]] bool empty() const { return next_ == nullptr; }
  /// In each loop: looks at some parts, in turn, and reports for one of them at the most. A
  /// plan of the granter's grows with the cores. `clock` has `TimePoint now()`: a larger share
  /// counts from when it was read on, and not from when the loop began, for others had it until
  /// then. REQUIRES: !empty().
  template <class Clock>
  void visit(Clock& clock) {
    for (int visits = 0; visits < kPartsALoop; ++visits) {
      SpreadPart& part = *next_;
      next_ = part.next_;
      if (const auto share = part.line().next_share()) {
        apply(part, *share, clock.now());
        part.line().hold(*share);
      }
      const TimePoint now = clock.now();
      const bool is_due = now - part.reported_ >= part.period_;
      if (is_due) {
        if (part.root->finished()) [[unlikely]]
          return release(part);
        report(part, now);
      }
      if (part.granter != nullptr && !part.granter->settled()) part.granter->grant();
      if (is_due || next_ == &part) return;
    }
  }

 private:
  static constexpr int kPartsALoop = 4;

  void apply(const SpreadPart& part, std::uint64_t share, TimePoint now);
  // And plans, where the granter is.
  void report(SpreadPart& part, TimePoint now);
  void release(SpreadPart& part);
  [[nodiscard]] CoreClaim claim(SpreadPart& part, TimePoint now);
  // Looks at some of the children; where all have been, claims what they add up to.
  void look_at_children(SpreadPart& part, CoreClaim& claim);

  Scheduler& scheduler_;
  SpreadPart* next_ = nullptr;
};

}  // namespace drip::datapath
