// SPDX-License-Identifier: BSD-3-Clause
// What the parser guarantees for every input.
#pragma once

#include <cstdint>
#include <span>

#include "packet/headers.h"

namespace drip {

/// Null, or the guarantee that `headers` breaks. `bytes`: what they were parsed from.
inline const char* broken_invariant(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const bool is_ip = headers.ip_version != IpVersion::kNone;
  const bool has_tag = headers.vlan_id != kNoVlan;
  const bool has_inner_tag = headers.inner_vlan_id != kNoVlan;
  if (has_inner_tag && !has_tag) return "an inner tag has an outer one";
  if (has_tag && headers.vlan_id > 4095) return "a VLAN id has 12 bits";
  if (headers.l3_offset > bytes.size()) return "the offset is inside of the frame";
  if (is_ip && headers.l3_offset + 20U > bytes.size()) return "IP has a header";
  const bool may_carry_ip =
      headers.ether_type == 0x8864 || headers.ether_type == 0x8847 || headers.ether_type == 0x8848;
  if (headers.ip_version == IpVersion::kV4 && headers.ether_type != 0x0800 && !may_carry_ip)
    return "IPv4 has its EtherType, or is behind PPPoE or MPLS";
  if (headers.ip_version == IpVersion::kV6 && headers.ether_type != 0x86dd && !may_carry_ip)
    return "IPv6 has its EtherType, or is behind PPPoE or MPLS";
  if (headers.l4_offset > bytes.size()) return "what IP carries begins inside of the frame";
  if (headers.l4_offset != 0 && (headers.fragment || !is_ip)) return "only whole IP carries it";
  if (headers.dscp > 63) return "DSCP has 6 bits";
  if (!is_ip &&
      (headers.ports_valid || headers.fragment || headers.icmp_valid || headers.ip_protocol != 0)) {
    return "without IP no field of IP is set";
  }
  if (headers.fragment && headers.ports_valid) return "a fragment has no ports";
  if (headers.fragment && headers.icmp_valid) return "a fragment has no ICMP type";
  if (!headers.icmp_valid && (headers.icmp_type | headers.icmp_code) != 0)
    return "without ICMP type and code both are 0";
  if (headers.ports_valid && headers.l3_offset + 24U > bytes.size()) return "ports were read";
  if (!headers.ports_valid && (headers.src_port | headers.dst_port) != 0)
    return "without ports both are 0";
  return nullptr;
}

}  // namespace drip
