// SPDX-License-Identifier: BSD-3-Clause
// Random rules, packets that are likely to fit them, and the naive search that is always right.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <span>
#include <vector>

#include "classifier/classifier.h"

namespace drip {

class RandomRules {
 public:
  explicit RandomRules(std::uint32_t seed) : random_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }

  /// Few values a field, so that rules overlap and packets fit.
  ClassifierRule rule() {
    ClassifierRule rule;
    rule.priority = static_cast<std::int32_t>(below(5)) - 2;
    Match& match = rule.match;
    const std::uint32_t kind = below(10);
    if (kind < 8) {
      const IpVersion version = kind < 5 ? IpVersion::kV4 : IpVersion::kV6;
      if (below(3) != 0) match.src_prefix = prefix(version);
      if (below(3) != 0) match.dst_prefix = prefix(version);
      if (below(8) == 0) match.ether_type = version == IpVersion::kV4 ? 0x0800 : 0x86dd;
      if (below(6) == 0) match.dscp = static_cast<std::uint8_t>(below(3));
      if (below(3) == 0) match.src_port = ports();
      if (below(2) == 0) match.dst_port = ports();
      if (below(2) == 0) match.ip_protocol = protocol(match.src_port || match.dst_port);
    } else if (below(2) == 0) {
      match.ether_type = ether_type();
      if (*match.ether_type == 0x0800 && below(2) == 0) match.ip_protocol = protocol(false);
    }
    if (below(5) == 0) match.vlan_id = static_cast<std::uint16_t>(below(3));
    if (below(8) == 0) match.inner_vlan_id = static_cast<std::uint16_t>(below(3));
    if (below(5) == 0) match.ingress_port = static_cast<std::uint16_t>(below(2));
    // A rule for every packet, high up, would hide all that the others do.
    if (match == Match{}) rule.priority = below(4) == 0 ? 0 : -3;
    return rule;
  }

  std::vector<ClassifierRule> rules(std::size_t count) {
    std::vector<ClassifierRule> rules(count);
    for (ClassifierRule& each : rules) each = rule();
    return rules;
  }

  Headers packet() {
    Headers headers;
    const std::uint32_t kind = below(10);
    const std::uint32_t tags = below(3);
    if (tags > 0) headers.vlan_id = static_cast<std::uint16_t>(below(3));
    if (tags > 1) headers.inner_vlan_id = static_cast<std::uint16_t>(below(3));
    if (kind == 9) {
      headers.ether_type = ether_type();
      return headers;
    }
    headers.ip_version = kind < 5 ? IpVersion::kV4 : IpVersion::kV6;
    headers.ether_type = kind < 5 ? 0x0800 : 0x86dd;
    headers.src_address = address(headers.ip_version);
    headers.dst_address = address(headers.ip_version);
    headers.dscp = static_cast<std::uint8_t>(below(3));
    headers.ip_protocol = protocol(below(4) != 0);
    headers.fragment = below(6) == 0;
    headers.ports_valid =
        !headers.fragment && (headers.ip_protocol == 6 || headers.ip_protocol == 17);
    if (headers.ports_valid) {
      headers.src_port = port();
      headers.dst_port = port();
    }
    return headers;
  }

 private:
  // From a tree of few branches: prefixes of every length have neighbours and nest.
  IpAddress address(IpVersion version) {
    IpAddress address{};
    constexpr std::uint8_t kBytes[] = {0, 1, 127, 128, 129, 255};
    const std::size_t bytes = version == IpVersion::kV4 ? 4 : 16;
    for (std::size_t i = 0; i < bytes; ++i) {
      address[i] = below(3) == 0 ? kBytes[below(std::size(kBytes))] : 10;
    }
    return address;
  }
  IpPrefix prefix(IpVersion version) {
    const std::uint32_t most = version == IpVersion::kV4 ? 32 : 128;
    constexpr std::uint8_t kUsual[] = {0, 8, 16, 24, 32};
    const std::uint32_t length = below(3) == 0 ? below(most + 1) : kUsual[below(std::size(kUsual))];
    return IpPrefix::of(version, address(version), static_cast<std::uint8_t>(length));
  }
  std::uint16_t port() {
    constexpr std::uint16_t kPorts[] = {0, 1, 79, 80, 81, 443, 1023, 1024, 32768, 65534, 65535};
    return kPorts[below(std::size(kPorts))];
  }
  PortRange ports() {
    const std::uint16_t a = port();
    const std::uint16_t b = below(2) == 0 ? a : port();
    return {std::min(a, b), std::max(a, b)};
  }
  std::uint8_t protocol(bool with_ports) {
    constexpr std::uint8_t kProtocols[] = {6, 17, 1, 0, 255};
    return kProtocols[below(with_ports ? 2 : std::size(kProtocols))];
  }
  std::uint16_t ether_type() {
    // The two of IP with no IP behind them: what could not be read.
    constexpr std::uint16_t kTypes[] = {0x0800, 0x86dd, 0x0806, 0x0600, 0xffff};
    return kTypes[below(std::size(kTypes))];
  }

  std::mt19937 random_;
};

/// Bit by bit, as one would check by hand.
inline bool in_prefix(const IpPrefix& prefix, IpVersion version, const IpAddress& address) {
  if (version != prefix.version()) return false;
  for (std::size_t bit = 0; bit < prefix.length(); ++bit) {
    const int mask = 0x80 >> (bit % 8);
    if ((prefix.address()[bit / 8] & mask) != (address[bit / 8] & mask)) return false;
  }
  return true;
}

/// IP behind PPPoE and MPLS is matched by their EtherType and by its own.
inline bool fits_type(const Match& match, const Headers& headers) {
  if (!match.ether_type || *match.ether_type == headers.ether_type) return true;
  return (*match.ether_type == 0x0800 && headers.ip_version == IpVersion::kV4) ||
         (*match.ether_type == 0x86dd && headers.ip_version == IpVersion::kV6);
}

inline bool fits(const Match& match, const Headers& headers, std::uint16_t ingress_port) {
  const auto equal_or_unset = [](const auto& wanted, auto value) {
    return !wanted || *wanted == value;
  };
  const auto in_range = [&headers](const std::optional<PortRange>& range, std::uint16_t port) {
    return !range || (headers.ports_valid && port >= range->first && port <= range->last);
  };
  const bool is_ip = headers.ip_version != IpVersion::kNone;
  if ((match.ip_protocol || match.dscp) && !is_ip) return false;
  if (match.vlan_id && headers.vlan_id == kNoVlan) return false;
  if (match.inner_vlan_id && headers.inner_vlan_id == kNoVlan) return false;
  return (!match.src_prefix ||
          in_prefix(*match.src_prefix, headers.ip_version, headers.src_address)) &&
         (!match.dst_prefix ||
          in_prefix(*match.dst_prefix, headers.ip_version, headers.dst_address)) &&
         equal_or_unset(match.ip_protocol, headers.ip_protocol) &&
         in_range(match.src_port, headers.src_port) && in_range(match.dst_port, headers.dst_port) &&
         equal_or_unset(match.vlan_id, headers.vlan_id) &&
         equal_or_unset(match.inner_vlan_id, headers.inner_vlan_id) &&
         equal_or_unset(match.dscp, headers.dscp) &&
         equal_or_unset(match.ingress_port, ingress_port) && fits_type(match, headers);
}

inline std::uint32_t linear_search(std::span<const ClassifierRule> rules, const Headers& headers,
                                   std::uint16_t ingress_port) {
  std::uint32_t best = kNoRule;
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    if (!fits(rules[i].match, headers, ingress_port)) continue;
    if (best == kNoRule || rules[i].priority > rules[best].priority) best = i;
  }
  return best;
}

}  // namespace drip
