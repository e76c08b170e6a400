// SPDX-License-Identifier: BSD-3-Clause
// Requests as units of the buckets of one transmitter: admitted, and released before their turn.
#pragma once

#include <cstdint>

#include "datapath/share_meters.h"
#include "drip/scheduler.h"
#include "engine/call_types.h"
#include "engine/request_record.h"

namespace drip::datapath {

/// Runs on the transmitter's thread. A request is a tagged unit (UnitRef) that refers to its
/// record.
class TransmitterRequests {
 public:
  explicit TransmitterRequests(Scheduler& scheduler)
      : scheduler_(scheduler), shares_(scheduler.buckets().size) {}

  Admission admit(std::uint32_t slot, RequestRecord& record, std::uint32_t wire_bytes,
                  const WaitLimits& limits, TimePoint now);
  /// Anonymous units, or one with a record. A look at what would happen takes neither.
  void admit(UnitsToAdmit& units, TimePoint now);
  void release(std::uint32_t slot, RequestRecord& record, TimePoint now);

  /// See Engine::occupy().
  void occupy(std::uint32_t slot, Duration busy, TimePoint now);

  /// For the Scheduler: a unit has another sequence in its ring.
  static void moved(UnitRef unit, std::uint32_t sequence);

 private:
  // Whether it is paused, or a bucket above it.
  [[nodiscard]] bool stands_still(std::uint32_t slot) const;
  // Whether it has its ring for units: a bucket with a queue is for packets, though a request may
  // be on its way when it gets one.
  [[nodiscard]] bool takes_units(std::uint32_t slot) const;
  // Of a unit that comes now.
  [[nodiscard]] Admission admission_of_newcomer(std::uint32_t slot, std::uint32_t wire_bytes,
                                                TimePoint now);
  // Why `count` of the units would not be admitted; counts nothing.
  [[nodiscard]] RejectReason check(const UnitsToAdmit& units, std::uint32_t count,
                                   TimePoint now) const;
  // How many would be admitted; counts nothing.
  [[nodiscard]] std::uint32_t fitting(const UnitsToAdmit& units, TimePoint now) const;

  Scheduler& scheduler_;
  ShareMeters shares_;
  RequestRecord anonymous_;  // What anonymous units refer to.
};

}  // namespace drip::datapath
