// SPDX-License-Identifier: BSD-3-Clause
// Which new flows have to wait for which old ones while the key of a per-flow rule changes.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "packet/flow_key.h"

namespace drip::datapath {

/// When a rule gets another key, flows of the old one keep what waits in their buckets, and packets
/// that come go to flows of the new one. A new flow must not send before the old flows from which
/// its packets may have come are gone: it would send at a second rate and overtake them. Which
/// these are is decided by what both keys have in common, such as the network of two prefix
/// lengths; keys that have nothing in common make each new flow wait for all old ones. Common parts
/// are told apart by a hash, so that now and then a flow waits for another one as well.
///
/// If the key changes again before the old flows are gone, these are old to the next change as
/// well, and so are the flows that wait for them; which go on waiting, by the change that they came
/// with. A key that comes back is like any other: flows that have it by then are set apart from
/// those to come (FlowTable::set_apart()).
///
/// Any transmitter may hold old and new flows: all methods may be called by any thread.
class KeyChange {
 public:
  /// `common`: of all keys that present and coming flows have. `former`: the key before the change.
  KeyChange(const CommonFlowKey& common, const FlowTemplateKey& former)
      : common_(common), former_(former) {}

  [[nodiscard]] const CommonFlowKey& common() const { return common_; }
  [[nodiscard]] const FlowTemplateKey& former() const { return former_; }

  /// An old flow exists; it is gone.
  void add_old(const FlowKey& key) {
    count_of(key).fetch_add(1, std::memory_order_relaxed);
    old_flows_.fetch_add(1, std::memory_order_relaxed);
  }
  /// What the old flow has sent must be visible to who reads that it is gone.
  void remove_old(const FlowKey& key) {
    count_of(key).fetch_sub(1, std::memory_order_release);
    old_flows_.fetch_sub(1, std::memory_order_relaxed);
  }
  /// Whether a flow of the new key has to wait.
  [[nodiscard]] bool must_wait(const FlowKey& key) const {
    return old_flows_.load(std::memory_order_relaxed) != 0 &&
           const_cast<KeyChange&>(*this).count_of(key).load(std::memory_order_acquire) != 0;
  }
  [[nodiscard]] bool done() const { return old_flows_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr std::uint32_t kCounts = 1U << 16;

  [[nodiscard]] std::atomic<std::uint32_t>& count_of(const FlowKey& key) {
    return counts_[hash_(common_part(key, common_)) % kCounts];
  }

  const CommonFlowKey common_;
  const FlowTemplateKey former_;
  const FlowHash hash_;
  std::atomic<std::uint32_t> old_flows_{0};
  std::array<std::atomic<std::uint32_t>, kCounts> counts_{};
};

}  // namespace drip::datapath
