// SPDX-License-Identifier: BSD-3-Clause
// Which core does what, and to which of them the packets of a bucket come.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "bench/path/bucket_order.h"
#include "engine/call_types.h"
#include "engine/stats.h"

namespace drip::bench {

/// To which core the packets of a bucket come, seen from the one that owns it. Owners are dripd's
/// own choice: buckets are made in turns.
enum class Reception : std::uint8_t {
  kOwner,      ///< Its owner: nothing is handed over.
  kArbitrary,  ///< One, by a hash of its address: what a NIC does with receive side scaling.
  kWrong,      ///< One that is never its owner: all is handed over.
  kAll,        ///< Any: many flows of each bucket, spread by their hashes.
};

struct ScaleLayout {
  std::string_view name;
  std::vector<LcoreStats::Role> roles;  ///< One for each core.
  Reception reception = Reception::kOwner;
  /// Buckets are moved to where their packets come, before it is measured.
  bool follows = false;
};

/// `one`, and all that so many cores can be.
[[nodiscard]] std::vector<ScaleLayout> scale_layouts(unsigned cores);

/// For each core the buckets whose packets come to it; those of a transmitter alone: none. By
/// index: `buckets[i].ref` says the owner.
[[nodiscard]] std::vector<std::vector<std::uint32_t>> received_by_core(
    const ScaleLayout& layout, std::span<const BucketChange> buckets);

}  // namespace drip::bench
