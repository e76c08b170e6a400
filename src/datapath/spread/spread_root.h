// SPDX-License-Identifier: BSD-3-Clause
// What the transmitters of one spread root share: who holds which part of its rate, who may hold
// which, and who could use how much.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "drip/cache_line.h"

namespace drip::datapath {

/// A rate in whole parts, so that shares add up exactly whatever the rate is.
inline constexpr std::uint64_t kWholeShare = std::uint64_t{1} << 32;

/// What one transmitter could use of a root's rate.
struct CoreClaim {
  std::uint64_t demand = 0;      ///< Parts; 0 to kWholeShare.
  std::uint64_t guaranteed = 0;  ///< Parts that its backlogged children are guaranteed.
  std::uint64_t weight = 1;      ///< Of its backlogged children together; at least 1.
};

/// One transmitter's side: a cache line that it alone writes, and one that the granter alone
/// writes.
///
/// The protocol. `held` is the share that is applied at the transmitter, or more; `granted` is what
/// it is to apply. The granter writes another grant only when the last one is held. So the share
/// that is applied at a transmitter is at any moment one of `held` and `granted`, and the granter
/// keeps the sum over all transmitters of the larger of the two within the whole
/// (ShareGranter). It needs that a transmitter first applies a share and then says that it holds
/// it, and that who applies a larger one sees all that was done before others said that they hold
/// less: that is what release and acquire are for at both words. Proof:
/// docs/decisions/0024-spread-roots.md.
class CoreLine {
 public:
  // ---- The transmitter

  /// The share that is to be applied; none if it is held already.
  [[nodiscard]] std::optional<std::uint64_t> next_share() const {
    // Acquire: what others did before they gave up what is granted here.
    const std::uint64_t granted = granted_.load(std::memory_order_acquire);
    if (granted == held_.load(std::memory_order_relaxed)) [[likely]]
      return std::nullopt;
    return granted;
  }
  /// After it has been applied.
  void hold(std::uint64_t share) {
    // Release: all that departed by the share before.
    held_.store(share, std::memory_order_release);
  }
  void claim(const CoreClaim& claim) {
    demand_.store(claim.demand, std::memory_order_relaxed);
    guaranteed_.store(claim.guaranteed, std::memory_order_relaxed);
    weight_.store(claim.weight, std::memory_order_relaxed);
  }

  // ---- The granter

  void grant(std::uint64_t share) { granted_.store(share, std::memory_order_release); }
  [[nodiscard]] std::uint64_t granted() const { return granted_.load(std::memory_order_relaxed); }
  /// Each of its numbers is whole; they may be of several moments.
  [[nodiscard]] CoreClaim claim() const {
    return {demand_.load(std::memory_order_relaxed), guaranteed_.load(std::memory_order_relaxed),
            weight_.load(std::memory_order_relaxed)};
  }

  // ---- Any thread

  [[nodiscard]] std::uint64_t held() const { return held_.load(std::memory_order_acquire); }

 private:
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> held_{0};
  std::atomic<std::uint64_t> demand_{0};
  std::atomic<std::uint64_t> guaranteed_{0};
  std::atomic<std::uint64_t> weight_{1};
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> granted_{0};
};

/// By transmitter. Control makes it and frees it when no transmitter uses it any more.
class SpreadRoot {
 public:
  /// Each begins with an even part. REQUIRES: 1 to kWholeShare cores.
  explicit SpreadRoot(std::uint32_t cores) : lines_(cores) {
    for (CoreLine& line : lines_) {
      line.grant(kWholeShare / cores);
      line.hold(kWholeShare / cores);
    }
  }
  [[nodiscard]] std::uint32_t cores() const { return static_cast<std::uint32_t>(lines_.size()); }
  [[nodiscard]] CoreLine& operator[](std::size_t core) { return lines_[core]; }
  [[nodiscard]] const CoreLine& operator[](std::size_t core) const { return lines_[core]; }

  /// Control: all buckets of it have gone, and each transmitter is to let go of its part.
  void finish() { finished_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] bool finished() const { return finished_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> finished_{false};
  std::vector<CoreLine> lines_;
};

}  // namespace drip::datapath
