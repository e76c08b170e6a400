// SPDX-License-Identifier: BSD-3-Clause
// The flags of `rule add`: match, action, and the buckets of a per-flow rule.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/quantity.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// IP protocols that have a name in flags and in output.
struct ProtocolName {
  const char* name;
  std::uint32_t number;
};
inline constexpr ProtocolName kProtocols[] = {
    {"icmp", 1}, {"tcp", 6},     {"udp", 17},  {"gre", 47},
    {"esp", 50}, {"icmpv6", 58}, {"ospf", 89}, {"sctp", 132},
};

// One of these names, in any case, or a number from 0 to 255.
Parsed<std::uint32_t> parse_protocol(std::string_view text);

// In the order of their bits, RFC 9293, 3.1.
struct TcpFlagName {
  std::string_view name;
  std::uint32_t bit;
};
inline constexpr TcpFlagName kTcpFlags[] = {
    {"fin", 1},  {"syn", 2},  {"rst", 4},  {"psh", 8},
    {"ack", 16}, {"urg", 32}, {"ece", 64}, {"cwr", 128},
};

// The rule that the flags describe.
struct RuleFlags {
  // Returns the rule with `flows` in it. REQUIRES: the command line has been parsed.
  v1::Rule complete() const;

  v1::Rule rule;
  // Not in `rule`, because setting a field of per_flow there would choose that action.
  v1::FlowTemplate flows;
};

// Adds the flags to `app`; they set the fields of the result. CLI11 demands exactly one action.
std::shared_ptr<RuleFlags> add_rule_flags(CLI::App* app);

}  // namespace drip::cli
