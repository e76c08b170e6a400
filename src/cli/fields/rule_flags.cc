// SPDX-License-Identifier: BSD-3-Clause
// The flags of `rule add`, and how each is parsed.
#include "cli/fields/rule_flags.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "cli/fields/bucket_place.h"
#include "cli/fields/bucket_queue.h"
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

struct IcmpType {
  std::uint32_t type = 0;
  std::optional<std::uint32_t> code;
};

Parsed<IcmpType> parse_icmp(std::string_view text) {
  const auto slash = text.find('/');
  const auto type = parse_integer(text.substr(0, slash), 0, 255);
  if (slash == std::string_view::npos) {
    if (type) return IcmpType{static_cast<std::uint32_t>(*type), {}};
  } else if (const auto code = parse_integer(text.substr(slash + 1), 0, 255); type && code) {
    return IcmpType{static_cast<std::uint32_t>(*type), static_cast<std::uint32_t>(*code)};
  }
  return not_allowed<IcmpType>(text, "a type or TYPE/CODE, both 0 to 255");
}

struct TcpFlagBits {
  std::uint32_t set = 0;
  std::uint32_t mask = 0;
};

Parsed<TcpFlagBits> parse_tcp_flags(std::string_view text) {
  TcpFlagBits flags;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::string name = absl::AsciiStrToLower(std::string(text.substr(begin, end - begin)));
    const bool unset = name.starts_with('-');
    if (unset) name.erase(0, 1);
    const auto* const known =
        std::find_if(std::begin(kTcpFlags), std::end(kTcpFlags),
                     [&](const TcpFlagName& flag) { return name == flag.name; });
    if (known == std::end(kTcpFlags)) {
      return not_allowed<TcpFlagBits>(
          text, "fin, syn, rst, psh, ack, urg, ece, cwr, each with or without a minus sign");
    }
    flags.mask |= known->bit;
    if (!unset) flags.set |= known->bit;
    begin = end + 1;
  }
  return flags;
}

template <typename Set>
void add_text(CLI::App* app, const std::string& name, const std::string& type,
              const std::string& help, Set set) {
  app->add_option_function<std::string>(name, set, help)->type_name(type);
}

// One prefix is one field, several are a list.
template <typename SetOne, typename Add>
void add_prefixes(CLI::App* app, const std::string& name, const std::string& help, SetOne set_one,
                  Add add) {
  add_text(app, name, "PREFIX[,...]", help, [set_one, add](const std::string& text) {
    if (text.find(',') == std::string::npos) return set_one(text);
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      add(text.substr(begin, end - begin));
      begin = end + 1;
    }
  });
}

void add_match_flags(CLI::App* app, const std::shared_ptr<v1::Match>& match) {
  CLI::Option_group* group =
      app->add_option_group("Match", "Properties of the packet; all that are given must match");
  add_prefixes(
      group, "--src", "Source address: 192.0.2.0/24, 2001:db8::/32, or several with commas",
      [match](const std::string& prefix) { match->set_src_prefix(prefix); },
      [match](const std::string& prefix) { match->add_src_prefixes(prefix); });
  add_prefixes(
      group, "--dst", "Destination address",
      [match](const std::string& prefix) { match->set_dst_prefix(prefix); },
      [match](const std::string& prefix) { match->add_dst_prefixes(prefix); });
  add_text(group, "--src-list", "NAME", "Source address in this list (see `list`)",
           [match](const std::string& name) { match->set_src_list(name); });
  add_text(group, "--dst-list", "NAME", "Destination address in this list",
           [match](const std::string& name) { match->set_dst_list(name); });
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
  add_parsed(group, "--icmp", "TYPE[/CODE]", "ICMP or ICMPv6 type, and code: 3/4", parse_icmp,
             [match](const IcmpType& icmp) {
               match->set_icmp_type(icmp.type);
               if (icmp.code) match->set_icmp_code(*icmp.code);
             });
  add_parsed(group, "--tcp-flags", "NAMES",
             "TCP flags that are set, with a minus sign those that are not: syn,-ack",
             parse_tcp_flags, [match](const TcpFlagBits& flags) {
               match->set_tcp_flags(flags.set);
               match->set_tcp_flags_mask(flags.mask);
             });
  add_text(group, "--src-mac", "MAC", "Source MAC address, or its first bits: 02:00:00:00:00:00/24",
           [match](const std::string& mac) { match->set_src_mac(mac); });
  add_text(group, "--dst-mac", "MAC", "Destination MAC address",
           [match](const std::string& mac) { match->set_dst_mac(mac); });
  add_text(group, "--port", "NAME", "Port on which the packet arrived",
           [match](const std::string& name) { match->set_ingress_port(name); });
  group->add_flag_callback(
      "--inner", [match] { match->set_inner(true); },
      "Addresses and above are those inside of VXLAN, GTP-U, GRE, IP in IP; without a tunnel the "
      "packet's own");
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
      "Put packets into a bucket for each flow: five-tuple, source, destination, source-mac, "
      "destination-mac, or link (only what --by names)",
      [](std::string_view text) {
        static constexpr Choice<v1::FlowKey> kKeys[] = {
            {"five-tuple", v1::FLOW_KEY_FIVE_TUPLE},
            {"source", v1::FLOW_KEY_SOURCE},
            {"destination", v1::FLOW_KEY_DESTINATION},
            {"source-mac", v1::FLOW_KEY_SOURCE_MAC},
            {"destination-mac", v1::FLOW_KEY_DESTINATION_MAC},
            {"link", v1::FLOW_KEY_LINK}};
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

struct FlowParts {
  bool vlan = false;
  bool inner_vlan = false;
  bool port = false;
};

Parsed<FlowParts> parse_parts(std::string_view text) {
  FlowParts parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = text.substr(begin, end - begin);
    if (part == "vlan") {
      parts.vlan = true;
    } else if (part == "inner-vlan") {
      parts.inner_vlan = true;
    } else if (part == "port") {
      parts.port = true;
    } else {
      return not_allowed<FlowParts>(text, "vlan, inner-vlan, port, with commas between them");
    }
    begin = end + 1;
  }
  return parts;
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
  add_parsed(group, "--by", "PARTS",
             "Flows differ in these as well: vlan, inner-vlan, port, with commas", parse_parts,
             [flows](const FlowParts& parts) {
               flows->set_by_vlan(parts.vlan);
               flows->set_by_inner_vlan(parts.inner_vlan);
               flows->set_by_ingress_port(parts.port);
             });
  group->add_flag_callback(
      "--inner-key", [flows] { flows->set_inner(true); },
      "Addresses and ports of the key are those inside of a tunnel");
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
  const std::shared_ptr<v1::BucketConfig> bucket(flows, flows->mutable_bucket());
  add_bucket_settings(group, bucket);
  add_flow_place_settings(group, bucket);
  add_queue_settings(
      group, [flows]() -> v1::QueueConfig& { return *flows->mutable_bucket()->mutable_queue(); });
  // One by one, so that the error names the flag and not the group.
  for (CLI::Option* option : group->get_options({})) option->needs(per_flow);
}

}  // namespace

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
  add_parsed(app, "--set-dscp", "NAME|N",
             "The DSCP that packets get, before they come to their bucket", parse_dscp,
             [rule](std::uint32_t dscp) { rule->set_set_dscp(dscp); });
  CLI::Option* per_flow = add_action_flags(app, rule);
  add_flow_flags(app, std::shared_ptr<v1::FlowTemplate>(flags, &flags->flows), per_flow);
  return flags;
}

}  // namespace drip::cli
