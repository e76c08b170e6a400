// SPDX-License-Identifier: BSD-3-Clause
// A BenchPort to which nothing comes while it is shut.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "bench/path/bench_port.h"

namespace drip::bench {

class GatedPort : public BenchPort {
 public:
  /// `shut` outlives it, and may be changed by any thread.
  GatedPort(PacketPool& pool, BucketOrder& order, const std::atomic<bool>& shut)
      : BenchPort(pool, order), shut_(&shut) {}

  std::uint32_t rx(std::uint16_t queue, std::span<void*> packets) {
    if (shut_->load(std::memory_order_relaxed)) [[unlikely]]
      return 0;
    return BenchPort::rx(queue, packets);
  }

 private:
  const std::atomic<bool>* shut_;
};

}  // namespace drip::bench
