// SPDX-License-Identifier: BSD-3-Clause
// Sets of control protocols, from names and back.
#include "packet/control_protocols.h"

#include <algorithm>
#include <iterator>

#include "base/errors.h"
#include "base/text.h"

namespace drip {
namespace {

constexpr std::string_view kNone = "none";

std::string allowed_names() {
  std::string text = joined(kNone, ", or a name, or a name behind a minus sign: ");
  for (const ControlProtocolName& each : kControlProtocolNames) {
    if (&each != std::begin(kControlProtocolNames)) text += ", ";
    text += each.name;
  }
  return text;
}

}  // namespace

absl::StatusOr<ControlProtocols> ControlProtocols::parse(std::string_view field,
                                                         std::span<const std::string> entries) {
  ControlProtocols set = all();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    std::string_view name = entries[i];
    if (name == kNone) {
      set = none();
      continue;
    }
    const bool removes = name.starts_with('-');
    if (removes) name.remove_prefix(1);
    const auto* const known =
        std::ranges::find(kControlProtocolNames, name, &ControlProtocolName::name);
    if (known == std::end(kControlProtocolNames)) {
      return not_allowed(joined(field, "[", i, "]"), quoted(entries[i]), allowed_names());
    }
    if (removes) {
      set.remove(known->protocol);
    } else {
      set.add(known->protocol);
    }
  }
  return set;
}

std::vector<std::string> ControlProtocols::entries() const {
  std::vector<std::string> missing;
  for (const ControlProtocolName& each : kControlProtocolNames) {
    if (!contains(each.protocol)) missing.push_back(joined("-", each.name));
  }
  std::vector<std::string> present = names();
  if (missing.size() <= present.size()) return missing;
  present.insert(present.begin(), std::string(kNone));
  return present;
}

std::vector<std::string> ControlProtocols::names() const {
  std::vector<std::string> result;
  for (const ControlProtocolName& each : kControlProtocolNames) {
    if (contains(each.protocol)) result.emplace_back(each.name);
  }
  return result;
}

}  // namespace drip
