// SPDX-License-Identifier: BSD-3-Clause
// Whether there may be packets that two rules both match.
#pragma once

#include <cstdint>
#include <optional>

#include "control/model/rule_spec.h"

namespace drip::control {

/// One source and one destination network that have all of a rule's addresses; of IPv6 the first
/// half. To tell quickly, for very many rules, that two have no packet in common.
struct AddressCover {
  std::uint64_t source = 0;
  std::uint64_t source_mask = 0;
  std::uint64_t destination = 0;
  std::uint64_t destination_mask = 0;
  /// kNone: of any version, or none.
  IpVersion version = IpVersion::kNone;
  bool inner = false;

  /// False only if no packet has addresses of both.
  [[nodiscard]] bool overlaps(const AddressCover& other) const {
    if (inner != other.inner) return true;  // They look at different headers.
    if (version != other.version && version != IpVersion::kNone &&
        other.version != IpVersion::kNone) {
      return false;
    }
    return ((source ^ other.source) & source_mask & other.source_mask) == 0 &&
           ((destination ^ other.destination) & destination_mask & other.destination_mask) == 0;
  }
};

/// REQUIRES: the rule's lists are among `lists`.
[[nodiscard]] AddressCover cover_of(const RuleSpec& rule, const AddressLists& lists);

/// `rule` with those of its prefixes only, and without lists, that have addresses in common with
/// `other`: it matches all packets that both rules match, and none that `rule` does not. Nothing if
/// there are certainly none. Compares each prefix of one with each of the other.
[[nodiscard]] std::optional<RuleSpec> common_part(const RuleSpec& rule, const RuleSpec& other,
                                                  const AddressLists& lists);

/// Prefixes of a rule, its own and those of its lists.
[[nodiscard]] std::size_t prefix_count(const RuleSpec& rule, const AddressLists& lists);

}  // namespace drip::control
