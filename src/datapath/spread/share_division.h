// SPDX-License-Identifier: BSD-3-Clause
// Division of a spread root's rate among transmitters: guarantees, then max-min by weight.
#pragma once

#include <cstdint>
#include <span>

#include "datapath/spread/spread_root.h"

namespace drip::datapath {

/// All transmitters together keep so much at the least, in even parts, so that one that was idle
/// can begin at once.
inline constexpr std::uint64_t kStandby = kWholeShare / 256;

/// Divides the whole: with f the larger of a transmitter's standby and of what it can use of its
/// guarantee, each gets
///   min(demand, max(f, lambda x weight)), but f at the least
/// with the one lambda that uses up the whole: as children of a node share (docs/guide/trees.md).
/// What remains when all demands are met is divided evenly. The sum is at most the whole, and less
/// by less than a part for each transmitter. Writes `shares`, one for each claim; allocates
/// nothing. About 64 x the number of transmitters steps. REQUIRES: weights are at least 1.
void divide_share(std::span<const CoreClaim> claims, std::span<std::uint64_t> shares);

}  // namespace drip::datapath
