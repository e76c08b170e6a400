// SPDX-License-Identifier: BSD-3-Clause
// What holds for the headers of any bytes whatever.
#pragma once

#include <cstdint>
#include <span>

#include "packet/headers.h"

namespace drip {

/// Null, or what does not hold.
inline const char* broken_invariant(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const bool is_ip = headers.ip_version != IpVersion::kNone;
  const bool has_tag = headers.vlan_id != kNoVlan;
  const bool has_inner_tag = headers.inner_vlan_id != kNoVlan;
  if (headers.vlan_count != has_tag + has_inner_tag) return "tags are counted";
  if (has_inner_tag && !has_tag) return "an inner tag has an outer one";
  if (has_tag && headers.vlan_id > 4095) return "a VLAN id has 12 bits";
  if (headers.l3_offset > bytes.size() || headers.l4_offset > bytes.size())
    return "offsets are inside";
  if (headers.l4_offset != 0 && headers.l4_offset < headers.l3_offset + 20)
    return "IP has a header";
  if (headers.ip_version == IpVersion::kV4 && headers.ether_type != 0x0800)
    return "IPv4 is announced";
  if (headers.ip_version == IpVersion::kV6 && headers.ether_type != 0x86dd)
    return "IPv6 is announced";
  if (headers.dscp > 63) return "DSCP has 6 bits";
  if (!is_ip && (headers.ports_valid || headers.fragment || headers.icmpv6_type != 0 ||
                 headers.ip_protocol != 0 || headers.l4_offset != 0)) {
    return "without IP there is nothing of IP";
  }
  if (headers.fragment && headers.ports_valid) return "a fragment has no ports";
  if (headers.fragment && headers.icmpv6_type != 0) return "a fragment has no ICMPv6 type";
  if (headers.ports_valid && headers.l4_offset + 4U > bytes.size()) return "ports were read";
  if (!headers.ports_valid && (headers.src_port | headers.dst_port) != 0) return "no ports are 0";
  if (to_text(headers.fault) == "unknown") return "a fault has a name";
  return nullptr;
}

}  // namespace drip
