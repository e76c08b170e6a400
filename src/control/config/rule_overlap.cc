// SPDX-License-Identifier: BSD-3-Clause
#include "control/config/rule_overlap.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace drip::control {
namespace {

using Prefixes = std::span<const IpPrefix>;

Prefixes list_named(const std::string& name, const AddressLists& lists) {
  const auto found = lists.find(name);
  if (name.empty() || found == lists.end()) return {};
  return *found->second;
}

// ---- Covers

// The first half of an IPv6 address, an IPv4 address and 0s.
std::uint64_t first_bits(const IpAddress& address) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < 8; ++i) bits = bits << 8 | address[i];
  return bits;
}

struct Network {
  std::uint64_t value = 0;
  std::uint64_t mask = 0;
  bool has_v4 = false;
  bool has_v6 = false;
};

void widen(Network& network, const IpPrefix& prefix) {
  const std::uint64_t value = first_bits(prefix.address());
  const std::uint64_t mask =
      prefix.length() == 0 ? 0 : ~0ULL << (64 - std::min<unsigned>(prefix.length(), 64));
  if (!network.has_v4 && !network.has_v6) {
    network.value = value;
    network.mask = mask;
  } else {
    const auto same = static_cast<unsigned>(std::countl_zero(network.value ^ value));
    network.mask &= mask & (same == 0 ? 0 : ~0ULL << (64 - std::min(same, 64U)));
    network.value &= network.mask;
  }
  (prefix.version() == IpVersion::kV4 ? network.has_v4 : network.has_v6) = true;
}

Network network_of(Prefixes own, Prefixes list) {
  Network network;
  for (const IpPrefix& prefix : own) widen(network, prefix);
  for (const IpPrefix& prefix : list) widen(network, prefix);
  if (network.has_v4 && network.has_v6) network.mask = 0;
  return network;
}

IpVersion version_of(const Network& network) {
  if (network.has_v4 == network.has_v6) return IpVersion::kNone;
  return network.has_v4 ? IpVersion::kV4 : IpVersion::kV6;
}

// ---- Common parts

bool share(const IpPrefix& a, const IpPrefix& b) {
  if (a.version() != b.version()) return false;
  const std::uint8_t length = std::min(a.length(), b.length());
  return IpPrefix::of(a.version(), a.address(), length) ==
         IpPrefix::of(b.version(), b.address(), length);
}

template <typename T>
bool share(const std::optional<T>& a, const std::optional<T>& b) {
  return !a || !b || *a == *b;
}
bool share(const std::optional<PortRange>& a, const std::optional<PortRange>& b) {
  return !a || !b || (a->first <= b->last && b->first <= a->last);
}
bool share(const std::optional<TcpFlags>& a, const std::optional<TcpFlags>& b) {
  return !a || !b || ((a->set ^ b->set) & a->mask & b->mask) == 0;
}
bool share(const std::optional<MacPrefix>& a, const std::optional<MacPrefix>& b) {
  return !a || !b || (a->address ^ b->address) >> (48 - std::min(a->length, b->length)) == 0;
}

// Not by EtherType: a packet behind PPPoE or MPLS has two.
bool fields_share(const RuleSpec& rule, const RuleSpec& other) {
  const Match& a = rule.match;
  const Match& b = other.match;
  if (!rule.ingress_port.empty() && !other.ingress_port.empty() &&
      rule.ingress_port != other.ingress_port) {
    return false;
  }
  if (!share(a.src_mac, b.src_mac) || !share(a.dst_mac, b.dst_mac)) return false;
  if (a.inner != b.inner) return true;  // The others are of different headers.
  return share(a.ip_protocol, b.ip_protocol) && share(a.src_port, b.src_port) &&
         share(a.dst_port, b.dst_port) && share(a.vlan_id, b.vlan_id) &&
         share(a.inner_vlan_id, b.inner_vlan_id) && share(a.dscp, b.dscp) &&
         share(a.icmp_type, b.icmp_type) && share(a.icmp_code, b.icmp_code) &&
         share(a.tcp_flags, b.tcp_flags);
}

// One side of a rule: with neither prefixes nor a list it has every address.
struct Side {
  Prefixes own;
  Prefixes list;
  bool any = false;

  template <class Holds>
  [[nodiscard]] bool any_of(Holds holds) const {
    return std::ranges::any_of(own, holds) || std::ranges::any_of(list, holds);
  }
};

Side side_of(const std::vector<IpPrefix>& own, const std::string& list, const AddressLists& lists) {
  return {own, list_named(list, lists), own.empty() && list.empty()};
}

// What `side` has in common with `other`; false if that is nothing.
bool keep_common(const Side& side, const Side& other, bool same_headers,
                 std::vector<IpPrefix>& kept) {
  kept.clear();
  if (side.any) return same_headers ? other.any || other.any_of([](auto&) { return true; }) : true;
  const auto add = [&](Prefixes prefixes) {
    for (const IpPrefix& prefix : prefixes) {
      if (!same_headers || other.any ||
          other.any_of([&](const IpPrefix& one) { return share(prefix, one); })) {
        kept.push_back(prefix);
      }
    }
  };
  add(side.own);
  add(side.list);
  return !kept.empty();
}

}  // namespace

AddressCover cover_of(const RuleSpec& rule, const AddressLists& lists) {
  const Network source = network_of(rule.src_prefixes, list_named(rule.src_list, lists));
  const Network destination = network_of(rule.dst_prefixes, list_named(rule.dst_list, lists));
  AddressCover cover;
  cover.source = source.value;
  cover.source_mask = source.mask;
  cover.destination = destination.value;
  cover.destination_mask = destination.mask;
  cover.version = version_of(source);
  if (cover.version == IpVersion::kNone) cover.version = version_of(destination);
  cover.inner = rule.match.inner;
  return cover;
}

std::optional<RuleSpec> common_part(const RuleSpec& rule, const RuleSpec& other,
                                    const AddressLists& lists) {
  if (!fields_share(rule, other)) return std::nullopt;
  const bool same_headers = rule.match.inner == other.match.inner;
  std::vector<IpPrefix> sources;
  std::vector<IpPrefix> destinations;
  if (!keep_common(side_of(rule.src_prefixes, rule.src_list, lists),
                   side_of(other.src_prefixes, other.src_list, lists), same_headers, sources) ||
      !keep_common(side_of(rule.dst_prefixes, rule.dst_list, lists),
                   side_of(other.dst_prefixes, other.dst_list, lists), same_headers,
                   destinations)) {
    return std::nullopt;
  }
  RuleSpec part;
  part.id = rule.id;
  part.path = rule.path;
  part.priority = rule.priority;
  part.match = rule.match;
  part.ingress_port = rule.ingress_port;
  part.src_prefixes = std::move(sources);
  part.dst_prefixes = std::move(destinations);
  return part;
}

std::size_t prefix_count(const RuleSpec& rule, const AddressLists& lists) {
  return rule.src_prefixes.size() + rule.dst_prefixes.size() +
         list_named(rule.src_list, lists).size() + list_named(rule.dst_list, lists).size();
}

}  // namespace drip::control
