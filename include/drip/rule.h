// SPDX-License-Identifier: BSD-3-Clause
// What a rule asks of a packet, and what makes two packets of a per-flow rule one flow: plain
// types.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drip/quantity.h"

namespace drip {

/// The number is the one in the packet's version field.
enum class IpVersion : std::uint8_t { kNone = 0, kV4 = 4, kV6 = 6 };

/// An address in network byte order; IPv4 is in the first 4 bytes and the other 12 are 0.
using IpAddress = std::array<std::uint8_t, 16>;

/// A network: an address and how many of its leading bits count. The bits behind them are 0.
class IpPrefix {
 public:
  /// 0.0.0.0/0: every IPv4 address.
  IpPrefix() = default;

  /// "192.0.2.0/24", "2001:db8::/32"; without a length the whole address. No zone, no spaces, no
  /// leading zeros in IPv4. The error names the text, what is wrong and, for host bits that are
  /// set, the network that was probably meant.
  static Parsed<IpPrefix> parse(std::string_view text);
  /// Bits of `address` beyond `length` are dropped.
  /// REQUIRES: version is not kNone; length is at most 32 or 128.
  static IpPrefix of(IpVersion version, const IpAddress& address, std::uint8_t length);

  [[nodiscard]] IpVersion version() const { return version_; }
  [[nodiscard]] std::uint8_t length() const { return length_; }
  [[nodiscard]] const IpAddress& address() const { return address_; }

  /// Canonical (RFC 5952 for IPv6), always with its length; parses to the same value again.
  [[nodiscard]] std::string to_text() const;

  bool operator==(const IpPrefix&) const = default;

 private:
  IpAddress address_{};
  IpVersion version_ = IpVersion::kV4;
  std::uint8_t length_ = 0;
};

/// `address` as text without a length (RFC 5952 for IPv6). REQUIRES: version is not kNone.
std::string to_text(IpVersion version, const IpAddress& address);

/// Inclusive on both sides. first > last fits nothing and is refused by Classifier::build().
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const PortRange&) const = default;
};

/// What a packet must be: every field that is set must fit; none set fits every packet. The
/// fields mean what they mean in drip/v1/shaper.proto. A field about IP fits only packets whose IP
/// header could be read, and a port only packets whose ports could be: never a fragment, the first
/// one included.
struct Match {
  std::optional<IpPrefix> src_prefix;
  std::optional<IpPrefix> dst_prefix;
  std::optional<std::uint8_t> ip_protocol;  ///< IANA number, IPv6 extension headers passed over.
  std::optional<PortRange> src_port;        ///< TCP, UDP, UDP-Lite, SCTP or DCCP.
  std::optional<PortRange> dst_port;
  std::optional<std::uint16_t> vlan_id;        ///< The outer or only tag: 0 to 4095.
  std::optional<std::uint16_t> inner_vlan_id;  ///< The second tag: 0 to 4095.
  std::optional<std::uint8_t> dscp;            ///< 0 to 63.
  std::optional<std::uint16_t> ingress_port;   ///< Index of the port on which it came in.
  std::optional<std::uint16_t> ether_type;     ///< 0x0600 to 0xffff, behind the VLAN tags.

  bool operator==(const Match&) const = default;
};

/// What makes two packets of a per-flow rule one flow.
enum class FlowKeyKind : std::uint8_t { kFiveTuple = 0, kSource = 1, kDestination = 2 };

struct FlowTemplateKey {
  FlowKeyKind kind = FlowKeyKind::kFiveTuple;
  /// kSource and kDestination: how many bits of the address count, 0 to 32 and 0 to 128.
  std::uint8_t ipv4_prefix_length = 32;
  std::uint8_t ipv6_prefix_length = 128;

  bool operator==(const FlowTemplateKey&) const = default;
};

}  // namespace drip
