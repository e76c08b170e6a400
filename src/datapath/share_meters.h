// SPDX-License-Identifier: BSD-3-Clause
// How long the leaves of trees take for a unit, as measured: what waits for a turn is estimated by
// it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "drip/bucket.h"
#include "drip/time.h"

namespace drip::datapath {

/// By bucket slot; looked at only when a request comes to a leaf. A leaf's own schedule says when
/// its units depart unless an ancestor binds or siblings have their turn; then the rate at which it
/// departed lately is the best that is known. It is measured from the first request that found
/// units waiting on, anew every kWindow, and forgotten when a request finds none waiting.
///
/// Belongs to one thread. 24 bytes a slot, of which none is in use before its first request.
class ShareMeters {
 public:
  static constexpr Duration kWindow{1'000'000'000};
  /// A shorter time says too little.
  static constexpr Duration kLeastWindow{50'000'000};

  explicit ShareMeters(std::uint32_t slots)
      : meters_(static_cast<Meter*>(std::calloc(slots, sizeof(Meter)))) {
    if (meters_ == nullptr && slots > 0) throw std::bad_alloc();
  }

  /// A request has come to the leaf. Returns how long a unit takes; 0: not known yet.
  Duration measure(std::uint32_t slot, const Bucket& leaf, TimePoint now) {
    Meter& meter = meters_[slot];
    const std::uint64_t departed = leaf.departed.get();
    if (leaf.backlog.get() == 0) {
      meter = {now, departed, Duration{}};
      return {};
    }
    const Duration span = now - meter.begin;
    if (span < kLeastWindow) return meter.unit_period;
    const std::uint64_t count = departed - meter.departed;
    // Of none that departed it is known that a unit takes longer than that.
    const Duration period{span.ns / static_cast<std::int64_t>(count > 0 ? count : 1)};
    if (span >= kWindow) meter = {now, departed, period};
    return period;
  }

 private:
  struct Meter {
    TimePoint begin;
    std::uint64_t departed;
    Duration unit_period;
  };
  struct Free {
    void operator()(Meter* meters) const { std::free(meters); }
  };
  std::unique_ptr<Meter[], Free> meters_;  // Pages that are touched alone take memory.
};

}  // namespace drip::datapath
