// SPDX-License-Identifier: BSD-3-Clause
// Pairs sources with destinations.
#include "control/model/expand_rule.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "classifier/classifier.h"

namespace drip::control {
namespace {

// The rule's own prefixes and those of the list.
absl::Status add_prefixes(const RuleSpec& rule, std::string_view field, const std::string& list,
                          const AddressLists& lists, std::vector<IpPrefix>& prefixes) {
  if (list.empty()) return absl::OkStatus();
  const auto found = lists.find(list);
  if (found == lists.end()) return not_found(joined(rule.path, field), "address list", list);
  prefixes.insert(prefixes.end(), found->second->begin(), found->second->end());
  return absl::OkStatus();
}

}  // namespace

bool precedes(const IpPrefix& a, const IpPrefix& b) {
  const auto order = [](const IpPrefix& prefix) {
    return std::tuple(prefix.version(), prefix.address(), prefix.length());
  };
  return order(a) < order(b);
}

void sort_prefixes(std::vector<IpPrefix>& prefixes) {
  std::ranges::sort(prefixes, precedes);
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
}

absl::StatusOr<std::vector<Match>> expand_rule(const RuleSpec& rule, const AddressLists& lists,
                                               std::size_t most) {
  std::vector<IpPrefix> sources = rule.src_prefixes;
  std::vector<IpPrefix> destinations = rule.dst_prefixes;
  absl::Status status = add_prefixes(rule, "match.src_list", rule.src_list, lists, sources);
  status.Update(add_prefixes(rule, "match.dst_list", rule.dst_list, lists, destinations));
  if (!status.ok()) return status;
  // Without any, there is one alternative: none.
  const bool any_source = rule.src_prefixes.empty() && rule.src_list.empty();
  const bool any_destination = rule.dst_prefixes.empty() && rule.dst_list.empty();
  const std::size_t source_count = any_source ? 1 : sources.size();
  const std::size_t destination_count = any_destination ? 1 : destinations.size();
  if (source_count * destination_count > most) {
    return not_allowed(joined(rule.path, "match"),
                       joined(source_count, " sources with ", destination_count, " destinations"),
                       joined("at most ", most, " pairs"));
  }
  std::vector<Match> matches;
  matches.reserve(source_count * destination_count);
  absl::Status refused;
  for (std::size_t i = 0; i < source_count; ++i) {
    for (std::size_t j = 0; j < destination_count; ++j) {
      Match match = rule.match;
      if (!any_source) match.src_prefix = sources[i];
      if (!any_destination) match.dst_prefix = destinations[j];
      absl::Status fits = check_match(match);
      if (fits.ok()) {
        matches.push_back(match);
      } else {
        refused = std::move(fits);
      }
    }
  }
  // An empty list matches nothing, which is as it was asked for.
  if (matches.empty() && !refused.ok()) {
    return absl::InvalidArgumentError(joined(rule.path, message_of(refused)));
  }
  return matches;
}

}  // namespace drip::control
