// SPDX-License-Identifier: BSD-3-Clause
// Text for matches and actions.
#include "cli/fields/rule_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

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

std::string key_in_words(const v1::FlowTemplate& flows) {
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
    default:
      return "five-tuple";
  }
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
  if (!match.src_prefix().empty()) add("src " + match.src_prefix());
  if (match.has_src_port()) add("sport " + ports_in_words(match.src_port()));
  if (!match.dst_prefix().empty()) add("dst " + match.dst_prefix());
  if (match.has_dst_port()) add("dport " + ports_in_words(match.dst_port()));
  if (match.has_vlan_id()) add(fmt::format("vlan {}", match.vlan_id()));
  if (match.has_inner_vlan_id()) add(fmt::format("inner-vlan {}", match.inner_vlan_id()));
  if (match.has_dscp()) add(fmt::format("dscp {}", match.dscp()));
  if (!match.ingress_port().empty()) add("port " + match.ingress_port());
  return words.empty() ? "any" : words;
}

std::string action_in_words(const v1::Rule& rule) {
  switch (rule.action_case()) {
    case v1::Rule::kBucketId:
      return "bucket " + rule.bucket_id();
    case v1::Rule::kPerFlow:
      return fmt::format("per {}: {}, at most {} flows{}", key_in_words(rule.per_flow()),
                         rates_in_words(rule.per_flow().bucket()), rule.per_flow().max_flows(),
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

}  // namespace drip::cli
