// SPDX-License-Identifier: BSD-3-Clause
// Text for matches and actions.
#include "cli/fields/rule_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "cli/fields/bucket_place.h"
#include "cli/fields/bucket_text.h"
#include "cli/fields/rule_flags.h"

namespace drip::cli {
namespace {

std::string protocol_in_words(std::uint32_t number) {
  const auto* protocol =
      std::find_if(std::begin(kProtocols), std::end(kProtocols),
                   [number](const ProtocolName& candidate) { return candidate.number == number; });
  return protocol != std::end(kProtocols) ? protocol->name : fmt::format("proto {}", number);
}

std::string ports_in_words(const v1::PortRange& range) {
  return range.first() == range.last() ? fmt::format("{}", range.first())
                                       : fmt::format("{}-{}", range.first(), range.last());
}

// A few are shown, many are counted.
std::string addresses_in_words(const std::string& first,
                               const google::protobuf::RepeatedPtrField<std::string>& more,
                               const std::string& list) {
  constexpr int kShown = 3;
  std::string words = first;
  for (int i = 0; i < more.size() && i < kShown; ++i) {
    words += (words.empty() ? "" : ",") + more[i];
  }
  if (more.size() > kShown) words += fmt::format(" and {} more", more.size() - kShown);
  if (!list.empty()) words += (words.empty() ? "list " : " or list ") + list;
  return words;
}

std::string flags_in_words(const v1::Match& match) {
  const std::uint32_t mask =
      match.has_tcp_flags_mask() ? match.tcp_flags_mask() : match.tcp_flags();
  std::string words;
  for (const TcpFlagName& flag : kTcpFlags) {
    if ((mask & flag.bit) == 0) continue;
    words += fmt::format("{}{}{}", words.empty() ? "" : ",",
                         (match.tcp_flags() & flag.bit) != 0 ? "" : "-", flag.name);
  }
  return words;
}

std::string parts_in_words(const v1::FlowTemplate& flows) {
  std::string words;
  const auto add = [&words](const char* part) {
    words += (words.empty() ? "" : " and ") + std::string(part);
  };
  if (flows.by_vlan()) add("vlan");
  if (flows.by_inner_vlan()) add("inner vlan");
  if (flows.by_ingress_port()) add("port");
  return words;
}

std::string kind_in_words(const v1::FlowTemplate& flows) {
  std::string prefixes;
  if (flows.has_ipv4_prefix_length()) prefixes += fmt::format("/{}", flows.ipv4_prefix_length());
  if (flows.has_ipv6_prefix_length()) {
    prefixes += fmt::format("{}/{}", prefixes.empty() ? "" : " and ", flows.ipv6_prefix_length());
  }
  switch (flows.key()) {
    case v1::FLOW_KEY_SOURCE:
      return "source" + prefixes;
    case v1::FLOW_KEY_DESTINATION:
      return "destination" + prefixes;
    case v1::FLOW_KEY_SOURCE_MAC:
      return "source MAC";
    case v1::FLOW_KEY_DESTINATION_MAC:
      return "destination MAC";
    case v1::FLOW_KEY_LINK:
      return "";
    default:
      return "five-tuple";
  }
}

std::string key_in_words(const v1::FlowTemplate& flows) {
  std::string words = kind_in_words(flows);
  if (flows.inner()) words = "inner " + words;
  const std::string parts = parts_in_words(flows);
  if (!parts.empty()) words += (words.empty() ? "" : " and ") + parts;
  return words;
}

std::string overflow_in_words(v1::FlowOverflow way) {
  switch (way) {
    case v1::FLOW_OVERFLOW_DROP:
      return ", others dropped";
    case v1::FLOW_OVERFLOW_PASS:
      return ", others pass";
    case v1::FLOW_OVERFLOW_DEFAULT:
      return ", others to the default";
    default:
      return "";
  }
}

}  // namespace

std::string match_in_words(const v1::Match& match) {
  std::string words;
  const auto add = [&words](const std::string& word) {
    words.append(words.empty() ? "" : " ").append(word);
  };
  if (match.has_ether_type()) add(fmt::format("ether-type {:#06x}", match.ether_type()));
  if (match.has_ip_protocol()) add(protocol_in_words(match.ip_protocol()));
  if (match.inner()) add("inner");
  const std::string sources =
      addresses_in_words(match.src_prefix(), match.src_prefixes(), match.src_list());
  if (!sources.empty()) add("src " + sources);
  if (match.has_src_port()) add("sport " + ports_in_words(match.src_port()));
  const std::string destinations =
      addresses_in_words(match.dst_prefix(), match.dst_prefixes(), match.dst_list());
  if (!destinations.empty()) add("dst " + destinations);
  if (match.has_dst_port()) add("dport " + ports_in_words(match.dst_port()));
  if (match.has_icmp_type()) {
    add(match.has_icmp_code() ? fmt::format("icmp {}/{}", match.icmp_type(), match.icmp_code())
                              : fmt::format("icmp {}", match.icmp_type()));
  }
  if (match.has_tcp_flags()) add("tcp-flags " + flags_in_words(match));
  if (!match.src_mac().empty()) add("src-mac " + match.src_mac());
  if (!match.dst_mac().empty()) add("dst-mac " + match.dst_mac());
  if (match.has_vlan_id()) add(fmt::format("vlan {}", match.vlan_id()));
  if (match.has_inner_vlan_id()) add(fmt::format("inner-vlan {}", match.inner_vlan_id()));
  if (match.has_dscp()) add(fmt::format("dscp {}", match.dscp()));
  if (!match.ingress_port().empty()) add("port " + match.ingress_port());
  return words.empty() ? "any" : words;
}

namespace {

// ", below uplink (guarantee 5 Mbit/s, weight 3)".
std::string place_in_words(const v1::BucketConfig& config) {
  if (config.parent_id().empty()) return "";
  std::string share;
  const auto add = [&](const std::string& words) { share += (share.empty() ? "" : ", ") + words; };
  if (config.guarantee() > 0 || config.guarantee_bps() > 0) {
    add("guarantee " + guarantee_in_words(config));
  }
  if (config.has_weight() && config.weight() != 1) add(fmt::format("weight {}", config.weight()));
  if (config.priority() != 0) add(fmt::format("priority {}", config.priority()));
  return ", below " + config.parent_id() + (share.empty() ? "" : " (" + share + ")");
}

std::string way_in_words(const v1::Rule& rule) {
  switch (rule.action_case()) {
    case v1::Rule::kBucketId:
      return "bucket " + rule.bucket_id();
    case v1::Rule::kPerFlow:
      return fmt::format("per {}: {}{}, at most {} flows{}", key_in_words(rule.per_flow()),
                         rates_in_words(rule.per_flow().bucket()),
                         place_in_words(rule.per_flow().bucket()), rule.per_flow().max_flows(),
                         overflow_in_words(rule.per_flow().overflow()));
    case v1::Rule::kPass:
      return "pass";
    case v1::Rule::kDrop:
      return "drop";
    case v1::Rule::ACTION_NOT_SET:
      break;
  }
  return "-";
}

}  // namespace

std::string action_in_words(const v1::Rule& rule) {
  const std::string way = way_in_words(rule);
  return rule.has_set_dscp() ? fmt::format("{}, DSCP {}", way, rule.set_dscp()) : way;
}

}  // namespace drip::cli
