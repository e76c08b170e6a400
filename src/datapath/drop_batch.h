// SPDX-License-Identifier: BSD-3-Clause
// Counts dropped packets by reason, and frees them in bursts.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "datapath/lcore_counters.h"
#include "engine/drop_reason.h"

namespace drip::datapath {

/// Belongs to one polling thread. REQUIRES: flush() before the destructor.
template <class Io>
class DropBatch {
 public:
  DropBatch(Io& io, LcoreCounters& counters) : io_(io), counters_(counters) {}

  void drop(void* packet, std::uint32_t frame_bytes, DropReason reason) {
    counters_.drop(reason, frame_bytes);
    packets_[count_++] = packet;
    if (count_ == packets_.size()) free_all();
  }
  void flush() {
    if (count_ > 0) free_all();
  }

 private:
  void free_all() {
    io_.free(std::span<void*>(packets_.data(), count_));
    count_ = 0;
  }

  Io& io_;
  LcoreCounters& counters_;
  std::array<void*, 64> packets_{};
  std::size_t count_ = 0;
};

}  // namespace drip::datapath
