// SPDX-License-Identifier: BSD-3-Clause
// All that is known of one bucket at one moment.
#pragma once

#include <cstdint>
#include <string>

#include "core/engine.h"
#include "drip/bucket_settings.h"

namespace drip::control {

struct BucketState {
  std::string id;
  std::uint32_t transmitter = 0;
  BucketSettings settings;
  BucketReading reading;
  /// Of a bucket that a per-flow rule made; empty otherwise.
  std::string rule_id;
  std::string flow;

  [[nodiscard]] std::uint64_t rejected() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : reading.rejected) sum += count;
    return sum;
  }
};

}  // namespace drip::control
