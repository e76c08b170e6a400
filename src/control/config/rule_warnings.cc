// SPDX-License-Identifier: BSD-3-Clause
// Looks for what is probably not as the operator means it.
#include "control/config/rule_warnings.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <variant>

#include "base/text.h"

namespace drip::control {
namespace {

constexpr Duration kRecently{60'000'000'000};

std::string_view overflow_in_words(RuleSpec::Overflow overflow) {
  switch (overflow) {
    case RuleSpec::Overflow::kShared:
      return "share one bucket";
    case RuleSpec::Overflow::kDrop:
      return "are dropped";
    case RuleSpec::Overflow::kPass:
      return "pass unshaped";
    case RuleSpec::Overflow::kDefault:
      break;
  }
  return "go to the default";
}

constexpr std::uint32_t kEthernetBytes = 14;

bool contains(const IpPrefix& outer, const IpPrefix& inner) {
  return outer.version() == inner.version() && outer.length() <= inner.length() &&
         IpPrefix::of(inner.version(), inner.address(), outer.length()) == outer;
}

// Whether each address that `inner` stands for is one that `outer` stands for. Lists count as equal
// or unknown.
bool covers(const std::vector<IpPrefix>& outer, const std::string& outer_list,
            const std::vector<IpPrefix>& inner, const std::string& inner_list) {
  if (outer.empty() && outer_list.empty()) return true;
  if (inner.empty() && inner_list.empty()) return false;
  if (!inner_list.empty() && inner_list != outer_list) return false;
  return std::ranges::all_of(inner, [&](const IpPrefix& each) {
    return std::ranges::any_of(outer, [&](const IpPrefix& wide) { return contains(wide, each); });
  });
}

template <typename T>
bool covers(const std::optional<T>& outer, const std::optional<T>& inner) {
  return !outer || outer == inner;
}

bool covers(const std::optional<PortRange>& outer, const std::optional<PortRange>& inner) {
  return !outer || (inner && outer->first <= inner->first && inner->last <= outer->last);
}

bool covers(const std::optional<MacPrefix>& outer, const std::optional<MacPrefix>& inner) {
  return !outer || (inner && outer->length <= inner->length &&
                    (outer->address ^ inner->address) >> (48 - outer->length) == 0);
}

bool covers(const std::optional<TcpFlags>& outer, const std::optional<TcpFlags>& inner) {
  return !outer || (inner && (outer->mask & ~inner->mask) == 0 &&
                    ((outer->set ^ inner->set) & outer->mask) == 0);
}

// Whether every packet that matches `inner` matches `outer`.
bool covers(const RuleSpec& outer, const RuleSpec& inner) {
  const Match& a = outer.match;
  const Match& b = inner.match;
  // The two look at different headers of a tunnel, unless neither looks at any of them.
  if (a.inner != b.inner) return false;
  return covers(outer.src_prefixes, outer.src_list, inner.src_prefixes, inner.src_list) &&
         covers(outer.dst_prefixes, outer.dst_list, inner.dst_prefixes, inner.dst_list) &&
         covers(a.ip_protocol, b.ip_protocol) && covers(a.src_port, b.src_port) &&
         covers(a.dst_port, b.dst_port) && covers(a.vlan_id, b.vlan_id) &&
         covers(a.inner_vlan_id, b.inner_vlan_id) && covers(a.dscp, b.dscp) &&
         covers(a.ether_type, b.ether_type) && covers(a.icmp_type, b.icmp_type) &&
         covers(a.icmp_code, b.icmp_code) && covers(a.tcp_flags, b.tcp_flags) &&
         covers(a.src_mac, b.src_mac) && covers(a.dst_mac, b.dst_mac) &&
         (outer.ingress_port.empty() || outer.ingress_port == inner.ingress_port);
}

bool passes(const RuleSpec& rule) { return std::holds_alternative<RuleSpec::Pass>(rule.action); }

// In the order in which they are tried.
std::vector<std::size_t> order_of(const RuleSetSpec& rules) {
  std::vector<std::size_t> order(rules.rules.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{},
                           [&](std::size_t index) { return rules.rules[index].priority; });
  return order;
}

bool is_tried_before(const RuleSetSpec& rules, std::size_t a, std::size_t b) {
  const std::int32_t first = rules.rules[a].priority;
  const std::int32_t second = rules.rules[b].priority;
  return first != second ? first > second : a < b;
}

// The first of `others`, in the order in which they are tried, that covers `inner`, which is the
// rule `index` or a part of it.
template <class Others>
std::optional<std::size_t> first_that_covers(const RuleSetSpec& rules, const Others& others,
                                             const RuleSpec& inner, std::size_t index,
                                             bool only_before) {
  std::optional<std::size_t> first;
  for (const std::size_t i : others) {
    if (i == index || (only_before && !is_tried_before(rules, i, index))) continue;
    if (first && is_tried_before(rules, *first, i)) continue;
    if (covers(rules.rules[i], inner)) first = i;
  }
  return first;
}

// Of rule `index`, compared with `others`.
template <class Others>
std::vector<std::string> warnings_at(const RuleSetSpec& rules, const Others& others,
                                     std::size_t index, std::uint32_t longest_frame) {
  const RuleSpec& rule = rules.rules[index];
  std::vector<std::string> warnings;
  if (const RuleSpec::PerFlow* const per_flow = rule.per_flow()) {
    warnings = warnings_of_bucket(per_flow->bucket, longest_frame);
  }
  if (const auto hides = first_that_covers(rules, others, rule, index, true)) {
    warnings.push_back(joined("hidden: every packet that it matches is matched by ",
                              rules.rules[*hides].id, ", which is tried first"));
    return warnings;
  }
  if (passes(rule) || (!rule.match.src_port && !rule.match.dst_port)) return warnings;
  // Fragments match no ports: what becomes of those that the rule would match without them?
  RuleSpec fragments = rule;
  fragments.match.src_port.reset();
  fragments.match.dst_port.reset();
  const auto taker = first_that_covers(rules, others, fragments, index, false);
  const bool pass = taker ? passes(rules.rules[*taker]) : rules.default_bucket_id.empty();
  if (pass) {
    warnings.push_back(joined("fragments match no ports: those of its packets pass unshaped by ",
                              taker ? rules.rules[*taker].id : std::string("the default")));
  }
  return warnings;
}

}  // namespace

std::uint32_t longest_frame_of(const Engine& engine) {
  std::uint32_t mtu = 0;
  for (const PortStats& port : engine.ports()) mtu = std::max(mtu, port.mtu);
  return mtu == 0 ? 0 : mtu + kEthernetBytes;
}

std::vector<std::string> warnings_of_bucket(const BucketSettings& settings,
                                            std::uint32_t longest_frame) {
  if (settings.capacity_bytes == 0 || longest_frame == 0) return {};
  const std::int64_t wire_bytes =
      std::int64_t{std::max(longest_frame, settings.min_frame_bytes)} + settings.overhead_bytes;
  if (wire_bytes <= static_cast<std::int64_t>(settings.capacity_bytes)) return {};
  return {joined("capacity_bytes ", settings.capacity_bytes, ": the longest frame of the ports, ",
                 wire_bytes, " wire bytes, never fits, not even into the empty bucket")};
}

std::vector<std::vector<std::string>> warnings_of_rules(const RuleSetSpec& rules,
                                                        std::uint32_t longest_frame) {
  std::vector<std::vector<std::string>> warnings(rules.rules.size());
  std::vector<std::size_t> order = order_of(rules);
  order.resize(std::min(order.size(), kMostCompared));
  for (const std::size_t index : order) {
    warnings[index] = warnings_at(rules, order, index, longest_frame);
  }
  return warnings;
}

std::vector<std::string> warnings_of_rule(const RuleSetSpec& rules, std::size_t index,
                                          std::uint32_t longest_frame) {
  // Not a view of numbers, of which clang 14 cannot make a range.
  std::vector<std::size_t> all(rules.rules.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  return warnings_at(rules, all, index, longest_frame);
}

std::vector<std::string> warnings_of_refused_flows(const std::vector<RuleState>& rules,
                                                   TimePoint now) {
  std::vector<std::string> warnings;
  for (const RuleState& state : rules) {
    const RuleSpec::PerFlow* const per_flow = state.rule->per_flow();
    if (per_flow == nullptr || state.flows.refused == 0) continue;
    if (now - state.flows.last_refused > kRecently) continue;
    warnings.push_back(joined("rule ", state.rule->id, ": packets of flows beyond max_flows ",
                              per_flow->max_flows, " ", overflow_in_words(per_flow->overflow), ": ",
                              state.flows.refused, " so far"));
  }
  return warnings;
}

}  // namespace drip::control
