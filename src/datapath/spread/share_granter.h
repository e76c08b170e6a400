// SPDX-License-Identifier: BSD-3-Clause
// Grants the shares of one spread root: at every moment they add up to the whole at the most.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "datapath/spread/share_division.h"
#include "datapath/spread/spread_root.h"

namespace drip::datapath {

/// One for each root, used by one thread. A grant is changed only when the transmitter holds the
/// last one; lowered at once, and raised only into what is left of the whole when for each
/// transmitter the larger of what it holds and of what it is granted is taken away. So a
/// transmitter that stands still keeps what it holds, and nobody else gets that.
class ShareGranter {
 public:
  /// `root` outlives it.
  explicit ShareGranter(SpreadRoot& root)
      : root_(root), claims_(root.cores()), targets_(root.cores()), held_(root.cores()) {}

  /// Reads the claims and decides what each is to have; grant() gets it there.
  void plan() {
    for (std::size_t core = 0; core < targets_.size(); ++core) claims_[core] = root_[core].claim();
    divide_share(claims_, targets_);
    settled_ = false;
  }
  /// Grants as much of that as is possible now. To be called until settled().
  void grant() {
    // A grant that is held is final, however late it is read: only this thread changes it.
    for (std::size_t core = 0; core < held_.size(); ++core) held_[core] = root_[core].held();
    grant_by(held_);
  }
  [[nodiscard]] bool settled() const { return settled_; }

  /// For tests: grant() with what was read of the transmitters before, in any order.
  void grant_by(const std::vector<std::uint64_t>& held) {
    std::uint64_t taken = 0;
    settled_ = true;
    for (std::size_t core = 0; core < held.size(); ++core) {
      CoreLine& line = root_[core];
      const std::uint64_t granted = line.granted();
      taken += std::max(held[core], granted);
      if (held[core] != granted) {
        settled_ = false;
        continue;
      }
      if (targets_[core] >= granted || !is_worth_it(granted, targets_[core])) continue;
      line.grant(targets_[core]);
      settled_ = false;
    }
    for (std::size_t core = 0; core < held.size() && taken < kWholeShare; ++core) {
      CoreLine& line = root_[core];
      const std::uint64_t granted = line.granted();
      if (held[core] != granted || targets_[core] <= granted ||
          !is_worth_it(granted, targets_[core])) {
        continue;
      }
      const std::uint64_t more = std::min(targets_[core] - granted, kWholeShare - taken);
      line.grant(granted + more);
      taken += more;
      settled_ = false;
    }
  }

 private:
  // Each change of a share rescales the root's schedule, some 100 ns, so small ones are not made.
  static bool is_worth_it(std::uint64_t granted, std::uint64_t target) {
    const std::uint64_t change = granted > target ? granted - target : target - granted;
    return change > kWholeShare / 1024;
  }

  SpreadRoot& root_;
  std::vector<CoreClaim> claims_;
  std::vector<std::uint64_t> targets_;
  std::vector<std::uint64_t> held_;
  bool settled_ = true;
};

}  // namespace drip::datapath
