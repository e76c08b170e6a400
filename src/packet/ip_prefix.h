// SPDX-License-Identifier: BSD-3-Clause
// IP addresses and networks, from text and back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/quantity.h"

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

}  // namespace drip
