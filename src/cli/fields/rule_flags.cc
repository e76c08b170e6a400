// SPDX-License-Identifier: BSD-3-Clause
// The flags of `rule add`, and how each is parsed.
#include "cli/fields/rule_flags.h"

#include <string>

#include "absl/strings/ascii.h"
#include "cli/fields/bucket_settings.h"
#include "cli/session/flags.h"

namespace drip::cli {
namespace {

Parsed<v1::PortRange> parse_port_range(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = parse_integer(text.substr(0, dash), 0, 65535);
  const auto last =
      dash == std::string_view::npos ? first : parse_integer(text.substr(dash + 1), 0, 65535);
  if (!first || !last || *last < *first) {
    return not_allowed<v1::PortRange>(text,
                                      "a port or FIRST-LAST, 0 to 65535, the lower one first");
  }
  v1::PortRange range;
  range.set_first(static_cast<std::uint32_t>(*first));
  range.set_last(static_cast<std::uint32_t>(*last));
  return range;
}

Parsed<std::uint32_t> parse_protocol(std::string_view text) {
  std::string allowed;
  const std::string name = absl::AsciiStrToLower(std::string(text));
  for (const ProtocolName& protocol : kProtocols) {
    if (name == protocol.name) return protocol.number;
    allowed.append(protocol.name).append(", ");
  }
  const auto number = parse_integer(text, 0, 255);
  if (number) return static_cast<std::uint32_t>(*number);
  return not_allowed<std::uint32_t>(text, allowed + "or a number from 0 to 255");
}

Parsed<std::uint32_t> parse_ether_type(std::string_view text) {
  static constexpr Choice<std::uint32_t> kNamed[] = {
      {"ipv4", 0x0800}, {"ipv6", 0x86dd}, {"arp", 0x0806}, {"mpls", 0x8847}};
  if (text.starts_with("0x") && text.size() > 2 && text.size() <= 6 &&
      text.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos) {
    return static_cast<std::uint32_t>(std::stoul(std::string(text.substr(2)), nullptr, 16));
  }
  const auto named = parse_choice(text, kNamed);
  if (named) return named;
  return Parsed<std::uint32_t>::failure(named.error() + " or hexadecimal such as 0x0800");
}

// RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF).
Parsed<std::uint32_t> parse_dscp(std::string_view text) {
  const std::string name = absl::AsciiStrToLower(std::string(text));
  const auto digit = [&name](std::size_t at) { return static_cast<std::uint32_t>(name[at] - '0'); };
  if (name == "ef") return 46U;
  if (name.size() == 3 && name.starts_with("cs") && digit(2) <= 7) return 8 * digit(2);
  if (name.size() == 4 && name.starts_with("af") && digit(2) - 1 <= 3 && digit(3) - 1 <= 2) {
    return 8 * digit(2) + 2 * digit(3);
  }
  const auto number = parse_integer(text, 0, 63);
  if (number) return static_cast<std::uint32_t>(*number);
  return not_allowed<std::uint32_t>(text, "0 to 63, cs0 to cs7, af11 to af43 or ef");
}

void add_match_flags(CLI::App* app, const std::shared_ptr<v1::Match>& match) {
  CLI::Option_group* group =
      app->add_option_group("Match", "Properties of the packet; all that are given must match");
  group
      ->add_option_function<std::string>(
          "--src", [match](const std::string& prefix) { match->set_src_prefix(prefix); },
          "Source address: 192.0.2.0/24, 2001:db8::/32")
      ->type_name("PREFIX");
  group
      ->add_option_function<std::string>(
          "--dst", [match](const std::string& prefix) { match->set_dst_prefix(prefix); },
          "Destination address")
      ->type_name("PREFIX");
  add_parsed(group, "--proto", "NAME|N", "tcp, udp, sctp, icmp, icmpv6, gre, esp, ospf or a number",
             parse_protocol, [match](std::uint32_t number) { match->set_ip_protocol(number); });
  add_parsed(group, "--sport", "PORTS", "Source port: 53 or 1000-2000", parse_port_range,
             [match](const v1::PortRange& range) { *match->mutable_src_port() = range; });
  add_parsed(group, "--dport", "PORTS", "Destination port", parse_port_range,
             [match](const v1::PortRange& range) { *match->mutable_dst_port() = range; });
  add_whole<std::uint32_t>(group, "--vlan", "VLAN id of the outer or only tag",
                           [match](std::uint32_t id) { match->set_vlan_id(id); });
  add_whole<std::uint32_t>(group, "--inner-vlan", "VLAN id of the inner tag",
                           [match](std::uint32_t id) { match->set_inner_vlan_id(id); });
  add_parsed(group, "--dscp", "NAME|N", "ef, cs0 to cs7, af11 to af43 or a number", parse_dscp,
             [match](std::uint32_t dscp) { match->set_dscp(dscp); });
  add_parsed(group, "--ether-type", "NAME|0xN", "ipv4, ipv6, arp, mpls or a number",
             parse_ether_type, [match](std::uint32_t type) { match->set_ether_type(type); });
  group
      ->add_option_function<std::string>(
          "--port", [match](const std::string& name) { match->set_ingress_port(name); },
          "Port on which the packet arrived")
      ->type_name("NAME");
}

// Returns --per-flow, which other flags need.
CLI::Option* add_action_flags(CLI::App* app, const std::shared_ptr<v1::Rule>& rule) {
  CLI::Option_group* group = app->add_option_group("Action", "Exactly one must be given");
  group->require_option(1);
  group
      ->add_option_function<std::string>(
          "--bucket", [rule](const std::string& id) { rule->set_bucket_id(id); },
          "Put packets into this bucket")
      ->type_name("ID");
  CLI::Option* per_flow = add_parsed(
      group, "--per-flow", "KEY",
      "Put packets into a bucket for each flow: five-tuple, source or destination",
      [](std::string_view text) {
        static constexpr Choice<v1::FlowKey> kKeys[] = {{"five-tuple", v1::FLOW_KEY_FIVE_TUPLE},
                                                        {"source", v1::FLOW_KEY_SOURCE},
                                                        {"destination", v1::FLOW_KEY_DESTINATION}};
        return parse_choice(text, kKeys);
      },
      [rule](v1::FlowKey key) { rule->mutable_per_flow()->set_key(key); });
  group->add_flag_callback(
      "--pass", [rule] { rule->set_pass(true); }, "Forward packets without shaping");
  group->add_flag_callback(
      "--drop", [rule] { rule->set_drop(true); }, "Drop packets");
  return per_flow;
}

Parsed<std::chrono::nanoseconds> parse_idle_timeout(std::string_view text) {
  const auto span = parse_duration(text);
  // The API has a 32-bit number of milliseconds.
  if (span && (span->count() % 1'000'000 != 0 || *span > std::chrono::hours(24))) {
    return not_allowed<std::chrono::nanoseconds>(text, "whole milliseconds up to 24h");
  }
  return span;
}

void add_flow_flags(CLI::App* app, const std::shared_ptr<v1::FlowTemplate>& flows,
                    CLI::Option* per_flow) {
  CLI::Option_group* group = app->add_option_group(
      "Flows", "With --per-flow: the number of flows and the settings of their buckets");
  add_whole<std::uint32_t>(group, "--max-flows", "Maximum number of flows at one time",
                           [flows](std::uint32_t count) { flows->set_max_flows(count); });
  add_parsed(group, "--idle-timeout", "DURATION",
             "A flow without a packet for this long is removed when its bucket is empty",
             parse_idle_timeout, [flows](std::chrono::nanoseconds span) {
               flows->set_idle_timeout_ms(static_cast<std::uint32_t>(span.count() / 1'000'000));
             });
  add_whole<std::uint32_t>(group, "--prefix4", "Bits of an IPv4 address that identify the flow",
                           [flows](std::uint32_t bits) { flows->set_ipv4_prefix_length(bits); });
  add_whole<std::uint32_t>(group, "--prefix6", "Bits of an IPv6 address that identify the flow",
                           [flows](std::uint32_t bits) { flows->set_ipv6_prefix_length(bits); });
  add_parsed(
      group, "--overflow", "WAY",
      "Packets of flows beyond the maximum: shared (one bucket for all of them), drop, pass or "
      "default [shared]",
      [](std::string_view text) {
        static constexpr Choice<v1::FlowOverflow> kWays[] = {
            {"shared", v1::FLOW_OVERFLOW_SHARED},
            {"drop", v1::FLOW_OVERFLOW_DROP},
            {"pass", v1::FLOW_OVERFLOW_PASS},
            {"default", v1::FLOW_OVERFLOW_DEFAULT}};
        return parse_choice(text, kWays);
      },
      [flows](v1::FlowOverflow way) { flows->set_overflow(way); });
  add_bucket_settings(group, std::shared_ptr<v1::BucketConfig>(flows, flows->mutable_bucket()));
  // One by one, so that the error names the flag and not the group.
  for (CLI::Option* option : group->get_options({})) option->needs(per_flow);
}

}  // namespace

v1::Rule RuleFlags::complete() const {
  v1::Rule whole = rule;
  if (whole.has_per_flow()) {
    *whole.mutable_per_flow() = flows;
    whole.mutable_per_flow()->set_key(rule.per_flow().key());
  }
  return whole;
}

std::shared_ptr<RuleFlags> add_rule_flags(CLI::App* app) {
  auto flags = std::make_shared<RuleFlags>();
  const std::shared_ptr<v1::Rule> rule(flags, &flags->rule);
  app->add_option_function<std::string>(
         "rule", [rule](const std::string& id) { rule->set_rule_id(id); }, "Name of the rule")
      ->required();
  add_whole<std::int32_t>(app, "--priority",
                          "The matching rule of the highest priority applies [0]",
                          [rule](std::int32_t priority) { rule->set_priority(priority); });
  add_match_flags(app, std::shared_ptr<v1::Match>(flags, rule->mutable_match()));
  CLI::Option* per_flow = add_action_flags(app, rule);
  add_flow_flags(app, std::shared_ptr<v1::FlowTemplate>(flags, &flags->flows), per_flow);
  return flags;
}

}  // namespace drip::cli
