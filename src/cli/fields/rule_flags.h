// SPDX-License-Identifier: BSD-3-Clause
// One rule as flags: what a packet must be, and what then becomes of it.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// Protocols that have a name on the command line and in tables.
struct ProtocolName {
  const char* name;
  std::uint32_t number;
};
inline constexpr ProtocolName kProtocols[] = {
    {"icmp", 1}, {"tcp", 6},     {"udp", 17},  {"gre", 47},
    {"esp", 50}, {"icmpv6", 58}, {"ospf", 89}, {"sctp", 132},
};

// What the flags say so far.
struct RuleFlags {
  // The whole rule, the settings of its flows put in. REQUIRES: parsing is over.
  v1::Rule complete() const;

  v1::Rule rule;
  // Apart from the rule, because setting a field of its action there would choose the action.
  v1::FlowTemplate flows;
};

// Adds the flags to `app`; they write into what is returned. Exactly one action must be given.
std::shared_ptr<RuleFlags> add_rule_flags(CLI::App* app);

}  // namespace drip::cli
