// SPDX-License-Identifier: BSD-3-Clause
// Requests as units of the buckets of one transmitter: admitted, and released before their turn.
#pragma once

#include <cstdint>

#include "drip/scheduler.h"
#include "engine/commands.h"
#include "engine/request_record.h"

namespace drip::datapath {

/// Runs on the transmitter's thread. A request is a tagged unit (UnitRef) that refers to its
/// record.
class TransmitterRequests {
 public:
  explicit TransmitterRequests(Scheduler& scheduler) : scheduler_(scheduler) {}

  Admission admit(std::uint32_t slot, RequestRecord& record, std::uint32_t wire_bytes,
                  TimePoint now);
  /// Anonymous units, or one with a record.
  void admit(UnitsToAdmit& units, TimePoint now);
  void release(std::uint32_t slot, RequestRecord& record, TimePoint now);

  /// For the Scheduler: a unit has another sequence in its ring.
  static void moved(UnitRef unit, std::uint32_t sequence);

 private:
  Scheduler& scheduler_;
  RequestRecord anonymous_;  // What anonymous units refer to.
};

}  // namespace drip::datapath
