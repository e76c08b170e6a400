// SPDX-License-Identifier: BSD-3-Clause
// The flows that send most, in little memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "packet/flow_key.h"

namespace drip::traffic {

/// Space-Saving (Metwally, Agrawal and El Abbadi, ICDT 2005) with kFlows counters: a flow that has
/// more than 1/kFlows of all bytes is in it, and none is overrated by more than that. Not thread
/// safe.
class TopFlows {
 public:
  static constexpr std::size_t kFlows = 32;

  struct Flow {
    FlowKey key;
    std::uint64_t bytes = 0;      ///< At most.
    std::uint64_t overrated = 0;  ///< By how much at most.

    [[nodiscard]] std::uint64_t sure_bytes() const { return bytes - overrated; }
  };

  void add(const FlowKey& key, std::uint64_t bytes);
  [[nodiscard]] std::uint64_t total_bytes() const { return total_; }
  /// By what they surely have, most first. Among flows that are all alike the counters say little,
  /// and this says so.
  [[nodiscard]] std::vector<Flow> sorted() const;

 private:
  std::array<Flow, kFlows> flows_;
  std::size_t used_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace drip::traffic
