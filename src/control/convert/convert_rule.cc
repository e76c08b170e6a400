// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes Rule, RuleSet and FlowTemplate.
#include "control/convert/convert_rule.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_enum.h"
#include "control/convert/convert_match.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

constexpr std::uint32_t kIpv4Bits = 32;
constexpr std::uint32_t kIpv6Bits = 128;
constexpr EnumPair<FlowKeyKind> kFlowKeys[] = {
    {FlowKeyKind::kFiveTuple, v1::FLOW_KEY_FIVE_TUPLE},
    {FlowKeyKind::kSource, v1::FLOW_KEY_SOURCE},
    {FlowKeyKind::kDestination, v1::FLOW_KEY_DESTINATION},
    {FlowKeyKind::kSourceMac, v1::FLOW_KEY_SOURCE_MAC},
    {FlowKeyKind::kDestinationMac, v1::FLOW_KEY_DESTINATION_MAC},
    {FlowKeyKind::kLink, v1::FLOW_KEY_LINK}};
constexpr const char* kFlowKeyNames =
    "FLOW_KEY_FIVE_TUPLE (1), FLOW_KEY_SOURCE (2), FLOW_KEY_DESTINATION (3), "
    "FLOW_KEY_SOURCE_MAC (4), FLOW_KEY_DESTINATION_MAC (5), FLOW_KEY_LINK (6)";

bool has_address(FlowKeyKind kind) {
  return kind == FlowKeyKind::kSource || kind == FlowKeyKind::kDestination;
}

constexpr EnumPair<RuleSpec::Overflow> kOverflows[] = {
    {RuleSpec::Overflow::kShared, v1::FLOW_OVERFLOW_SHARED},
    {RuleSpec::Overflow::kDrop, v1::FLOW_OVERFLOW_DROP},
    {RuleSpec::Overflow::kPass, v1::FLOW_OVERFLOW_PASS},
    {RuleSpec::Overflow::kDefault, v1::FLOW_OVERFLOW_DEFAULT}};

absl::StatusOr<FlowTemplateKey> read_flow_key(const v1::FlowTemplate& flow, std::string_view path) {
  FlowTemplateKey key;
  std::optional<FlowKeyKind> kind;
  absl::Status status =
      read_enum(joined(path, "key"), static_cast<int>(flow.key()), kFlowKeys, kFlowKeyNames, kind);
  if (!status.ok()) return status;
  if (!kind) return missing(joined(path, "key"), kFlowKeyNames);
  key.kind = *kind;
  const auto read_length = [&](std::string_view name, bool present, std::uint32_t length,
                               std::uint32_t bits, std::uint8_t& to) -> absl::Status {
    if (!present) return absl::OkStatus();
    const std::string field = joined(path, name);
    if (!has_address(key.kind)) {
      return not_allowed(field, joined(length),
                         "only with FLOW_KEY_SOURCE and FLOW_KEY_DESTINATION");
    }
    absl::Status in_range =
        check_range(field, std::uint64_t{length}, std::uint64_t{0}, std::uint64_t{bits}, " bits");
    if (in_range.ok()) to = static_cast<std::uint8_t>(length);
    return in_range;
  };
  status = read_length("ipv4_prefix_length", flow.has_ipv4_prefix_length(),
                       flow.ipv4_prefix_length(), kIpv4Bits, key.ipv4_prefix_length);
  if (status.ok()) {
    status = read_length("ipv6_prefix_length", flow.has_ipv6_prefix_length(),
                         flow.ipv6_prefix_length(), kIpv6Bits, key.ipv6_prefix_length);
  }
  if (!status.ok()) return status;
  if (flow.by_vlan()) key.parts |= FlowTemplateKey::kVlan;
  if (flow.by_inner_vlan()) key.parts |= FlowTemplateKey::kInnerVlan;
  if (flow.by_ingress_port()) key.parts |= FlowTemplateKey::kIngressPort;
  if (key.kind == FlowKeyKind::kLink && key.parts == 0) {
    return missing(joined(path, "by_vlan"),
                   "with FLOW_KEY_LINK one of by_vlan, by_inner_vlan, by_ingress_port");
  }
  if (!flow.inner()) return key;
  if (key.kind != FlowKeyKind::kFiveTuple && !has_address(key.kind)) {
    return not_allowed(joined(path, "inner"), "true",
                       "only with FLOW_KEY_FIVE_TUPLE, FLOW_KEY_SOURCE and FLOW_KEY_DESTINATION");
  }
  key.parts |= FlowTemplateKey::kInner;
  return key;
}

absl::StatusOr<RuleSpec::PerFlow> read_per_flow(const v1::FlowTemplate& flow,
                                                std::string_view path) {
  RuleSpec::PerFlow result;
  const absl::StatusOr<FlowTemplateKey> key = read_flow_key(flow, path);
  if (!key.ok()) return key.status();
  result.key = *key;
  const absl::StatusOr<BucketPatch> patch = read_template(flow.bucket(), joined(path, "bucket."));
  if (!patch.ok()) return patch.status();
  const absl::StatusOr<BucketSettings> settings = apply_patch(*patch, nullptr);
  if (!settings.ok()) return settings.status();
  result.bucket = *settings;
  absl::StatusOr<BucketPlace> place = apply_place(*patch, nullptr);
  if (!place.ok()) return place.status();
  result.place = *std::move(place);
  absl::Status status = check_range(joined(path, "max_flows"), std::uint64_t{flow.max_flows()},
                                    std::uint64_t{1}, std::uint64_t{kMaxFlows}, " flows");
  if (!status.ok()) return status;
  result.max_flows = flow.max_flows();
  const std::uint32_t idle_ms =
      flow.has_idle_timeout_ms() ? flow.idle_timeout_ms() : kDefaultIdleTimeoutMs;
  status = check_range(joined(path, "idle_timeout_ms"), std::uint64_t{idle_ms},
                       std::uint64_t{kMinIdleTimeoutMs}, std::uint64_t{kMaxIdleTimeoutMs}, " ms");
  if (!status.ok()) return status;
  result.idle_timeout = Duration{std::int64_t{idle_ms} * 1'000'000};
  std::optional<RuleSpec::Overflow> overflow;
  status = read_enum(joined(path, "overflow"), static_cast<int>(flow.overflow()), kOverflows,
                     "FLOW_OVERFLOW_SHARED (1), FLOW_OVERFLOW_DROP (2), FLOW_OVERFLOW_PASS (3), "
                     "FLOW_OVERFLOW_DEFAULT (4)",
                     overflow);
  if (!status.ok()) return status;
  result.overflow = overflow.value_or(RuleSpec::Overflow::kShared);
  return result;
}

absl::Status read_action(const v1::Rule& rule, std::string_view path, RuleSpec& spec) {
  switch (rule.action_case()) {
    case v1::Rule::kBucketId:
      spec.action = RuleSpec::ToBucket{rule.bucket_id()};
      return check_name(joined(path, "bucket_id"), rule.bucket_id());
    case v1::Rule::kPerFlow: {
      absl::StatusOr<RuleSpec::PerFlow> per_flow =
          read_per_flow(rule.per_flow(), joined(path, "per_flow."));
      if (!per_flow.ok()) return per_flow.status();
      spec.action = *std::move(per_flow);
      return absl::OkStatus();
    }
    case v1::Rule::kPass:
      spec.action = RuleSpec::Pass{};
      return rule.pass() ? absl::OkStatus() : not_allowed(joined(path, "pass"), "false", "true");
    case v1::Rule::kDrop:
      spec.action = RuleSpec::Drop{};
      return rule.drop() ? absl::OkStatus() : not_allowed(joined(path, "drop"), "false", "true");
    case v1::Rule::ACTION_NOT_SET:
      break;
  }
  return missing(joined(path, "action"), "one of bucket_id, per_flow, pass, drop");
}

}  // namespace

absl::StatusOr<RuleSpec> read_rule(const v1::Rule& rule, std::string_view path) {
  RuleSpec spec;
  spec.id = rule.rule_id();
  spec.path = path;
  spec.priority = rule.priority();
  absl::Status status = check_name(joined(path, "rule_id"), rule.rule_id());
  if (!status.ok()) return status;
  status = read_match(rule.match(), spec);
  if (!status.ok()) return status;
  status = read_action(rule, path, spec);
  if (!status.ok()) return status;
  if (rule.has_set_dscp()) {
    status = check_range(joined(path, "set_dscp"), std::uint64_t{rule.set_dscp()}, std::uint64_t{0},
                         std::uint64_t{63}, "");
    if (!status.ok()) return status;
    spec.set_dscp = static_cast<std::uint8_t>(rule.set_dscp());
  }
  return spec;
}

absl::StatusOr<AddressList> read_address_list(const v1::AddressList& list, std::string_view path) {
  if (absl::Status status = check_name(joined(path, "name"), list.name()); !status.ok()) {
    return status;
  }
  if (static_cast<std::size_t>(list.prefixes_size()) > kMaxListEntries) {
    return not_allowed(joined(path, "prefixes"), joined(list.prefixes_size(), " prefixes"),
                       joined("at most ", kMaxListEntries));
  }
  std::vector<IpPrefix> prefixes;
  prefixes.reserve(static_cast<std::size_t>(list.prefixes_size()));
  for (int i = 0; i < list.prefixes_size(); ++i) {
    const auto prefix = read_prefix(joined(path, "prefixes[", i, "]"), list.prefixes(i));
    if (!prefix.ok()) return prefix.status();
    prefixes.push_back(*prefix);
  }
  sort_prefixes(prefixes);
  return std::make_shared<const std::vector<IpPrefix>>(std::move(prefixes));
}

absl::StatusOr<RuleSetSpec> read_rule_set(const v1::RuleSet& rule_set, std::string_view path) {
  RuleSetSpec spec;
  spec.path = path;
  spec.default_bucket_id = rule_set.default_bucket_id();
  spec.protect_control_traffic =
      !rule_set.has_protect_control_traffic() || rule_set.protect_control_traffic();
  const std::vector<std::string> protocols(rule_set.control_protocols().begin(),
                                           rule_set.control_protocols().end());
  const absl::StatusOr<ControlProtocols> parsed =
      ControlProtocols::parse(joined(path, "control_protocols"), protocols);
  if (!parsed.ok()) return parsed.status();
  spec.control_protocols = *parsed;
  if (!spec.default_bucket_id.empty()) {
    absl::Status status = check_name(joined(path, "default_bucket_id"), spec.default_bucket_id);
    if (!status.ok()) return status;
  }
  std::map<std::string, int> index_of;
  for (int i = 0; i < rule_set.rules_size(); ++i) {
    absl::StatusOr<RuleSpec> rule = read_rule(rule_set.rules(i), joined(path, "rules[", i, "]."));
    if (!rule.ok()) return rule.status();
    const auto [first, fresh] = index_of.try_emplace(rule->id, i);
    if (!fresh) {
      return not_allowed(joined(rule->path, "rule_id"), quoted(rule->id),
                         joined("each id once, and rules[", first->second, "] has it"));
    }
    spec.rules.push_back(*std::move(rule));
  }
  for (int i = 0; i < rule_set.address_lists_size(); ++i) {
    const std::string list_path = joined(path, "address_lists[", i, "].");
    absl::StatusOr<AddressList> list = read_address_list(rule_set.address_lists(i), list_path);
    if (!list.ok()) return list.status();
    const std::string& name = rule_set.address_lists(i).name();
    if (!spec.lists.try_emplace(name, *std::move(list)).second) {
      return not_allowed(joined(list_path, "name"), quoted(name), "each name once");
    }
  }
  return spec;
}

namespace {

void write_per_flow(const RuleSpec::PerFlow& per_flow, v1::FlowTemplate& flow) {
  flow.set_key(write_enum<v1::FlowKey>(per_flow.key.kind, kFlowKeys));
  const std::uint8_t parts = per_flow.key.parts;
  flow.set_by_vlan((parts & FlowTemplateKey::kVlan) != 0);
  flow.set_by_inner_vlan((parts & FlowTemplateKey::kInnerVlan) != 0);
  flow.set_by_ingress_port((parts & FlowTemplateKey::kIngressPort) != 0);
  flow.set_inner((parts & FlowTemplateKey::kInner) != 0);
  if (has_address(per_flow.key.kind)) {
    flow.set_ipv4_prefix_length(per_flow.key.ipv4_prefix_length);
    flow.set_ipv6_prefix_length(per_flow.key.ipv6_prefix_length);
  }
  write_config(per_flow.bucket, *flow.mutable_bucket());
  write_place(per_flow.place, *flow.mutable_bucket());
  flow.set_max_flows(per_flow.max_flows);
  flow.set_idle_timeout_ms(static_cast<std::uint32_t>(per_flow.idle_timeout.ns / 1'000'000));
  flow.set_overflow(write_enum<v1::FlowOverflow>(per_flow.overflow, kOverflows));
}

}  // namespace

void write_rule(const RuleSpec& spec, v1::Rule& rule) {
  rule.set_rule_id(spec.id);
  rule.set_priority(spec.priority);
  write_match(spec, *rule.mutable_match());
  if (const RuleSpec::ToBucket* to_bucket = spec.to_bucket()) {
    rule.set_bucket_id(to_bucket->bucket_id);
  } else if (const RuleSpec::PerFlow* per_flow = spec.per_flow()) {
    write_per_flow(*per_flow, *rule.mutable_per_flow());
  } else if (std::holds_alternative<RuleSpec::Pass>(spec.action)) {
    rule.set_pass(true);
  } else {
    rule.set_drop(true);
  }
  if (spec.set_dscp) rule.set_set_dscp(*spec.set_dscp);
}

}  // namespace drip::control
