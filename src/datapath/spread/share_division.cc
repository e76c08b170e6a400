// SPDX-License-Identifier: BSD-3-Clause
// Water filling with floors, by bisection.
#include "datapath/spread/share_division.h"

#include <algorithm>
#include <cstddef>

namespace drip::datapath {
namespace {

struct Bounds {
  std::uint64_t least;
  std::uint64_t most;
};

class Division {
 public:
  explicit Division(std::span<const CoreClaim> claims)
      : claims_(claims), standby_(kStandby / claims.size()) {
    std::uint64_t guaranteed = 0;
    for (const CoreClaim& claim : claims) guaranteed += usable_guarantee(claim);
    // With rates of two kinds the guarantees' parts of them may add up to more than the whole.
    const std::uint64_t room = kWholeShare - kStandby;
    scale_ = guaranteed <= room ? 1 : static_cast<double>(room) / static_cast<double>(guaranteed);
  }

  [[nodiscard]] Bounds bounds(std::size_t core) const {
    const CoreClaim& claim = claims_[core];
    const auto guaranteed =
        static_cast<std::uint64_t>(static_cast<double>(usable_guarantee(claim)) * scale_);
    // Standby comes on top of nothing: where the guarantees are all there is, it is part of them.
    const std::uint64_t least = std::max(standby_, guaranteed);
    return {least, std::max(least, std::min(claim.demand, kWholeShare))};
  }
  [[nodiscard]] std::uint64_t share(std::size_t core, double lambda) const {
    const Bounds bounds = this->bounds(core);
    const double by_weight = lambda * static_cast<double>(claims_[core].weight);
    if (by_weight >= static_cast<double>(bounds.most)) return bounds.most;
    return std::max(bounds.least, static_cast<std::uint64_t>(by_weight));
  }
  [[nodiscard]] std::uint64_t sum(double lambda) const {
    std::uint64_t sum = 0;
    for (std::size_t core = 0; core < claims_.size(); ++core) sum += share(core, lambda);
    return sum;
  }

 private:
  static std::uint64_t usable_guarantee(const CoreClaim& claim) {
    return std::min({claim.guaranteed, claim.demand, kWholeShare});
  }

  std::span<const CoreClaim> claims_;
  std::uint64_t standby_;
  double scale_;
};

}  // namespace

void divide_share(std::span<const CoreClaim> claims, std::span<std::uint64_t> shares) {
  const Division division(claims);
  // With the whole for each unit of weight everybody has all that it could use.
  auto above = static_cast<double>(kWholeShare);
  const std::uint64_t wanted = division.sum(above);
  if (wanted <= kWholeShare) {
    const std::uint64_t even = (kWholeShare - wanted) / claims.size();
    for (std::size_t core = 0; core < claims.size(); ++core) {
      shares[core] = division.share(core, above) + even;
    }
    return;
  }
  double below = 0;  // There the sum is that of the floors, which is within the whole.
  constexpr int kSteps = 64;
  for (int step = 0; step < kSteps; ++step) {
    const double middle = (below + above) / 2;
    (division.sum(middle) <= kWholeShare ? below : above) = middle;
  }
  for (std::size_t core = 0; core < claims.size(); ++core) {
    shares[core] = division.share(core, below);
  }
}

}  // namespace drip::datapath
