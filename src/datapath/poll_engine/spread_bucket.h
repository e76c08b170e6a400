// SPDX-License-Identifier: BSD-3-Clause
// A spread root as the engine keeps it: one bucket to its callers, a part on each transmitter.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "datapath/spread/transmitter_spreads.h"
#include "engine/rule_snapshot.h"

namespace drip::datapath {

/// The engine's lock guards it; the parts are the transmitters', once they are linked there.
struct SpreadBucket {
  /// REQUIRES: at least one transmitter.
  explicit SpreadBucket(std::uint32_t transmitters) : root(transmitters), parts(transmitters) {
    for (std::uint32_t i = 0; i < transmitters; ++i) {
      parts[i].root = &root;
      parts[i].core = i;
    }
  }
  SpreadBucket(const SpreadBucket&) = delete;
  SpreadBucket& operator=(const SpreadBucket&) = delete;

  [[nodiscard]] BucketRef part_on(std::uint32_t transmitter) const {
    return {transmitter, parts[transmitter].slot};
  }

  SpreadRoot root;
  std::vector<SpreadPart> parts;  ///< By transmitter.
  std::uint32_t primary = 0;      ///< The transmitter of the BucketRef that callers have.
};

}  // namespace drip::datapath
