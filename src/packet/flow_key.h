// SPDX-License-Identifier: BSD-3-Clause
// The key that identifies a flow in a table, its text, and its hash.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <type_traits>

#include "packet/headers.h"
#include "packet/ip_prefix.h"

namespace drip {

/// Which header fields identify a flow.
enum class FlowKeyKind : std::uint8_t { kFiveTuple = 0, kSource = 1, kDestination = 2 };

struct FlowTemplateKey {
  FlowKeyKind kind = FlowKeyKind::kFiveTuple;
  /// kSource and kDestination: how many bits of the address are used, 0 to 32 and 0 to 128.
  std::uint8_t ipv4_prefix_length = 32;
  std::uint8_t ipv6_prefix_length = 128;

  bool operator==(const FlowTemplateKey&) const = default;
};

/// The identity of a flow. Fields that the kind of key does not use are 0, so that equal bytes mean
/// equal flows. VLAN tags are not part of it.
struct FlowKey {
  /// As in Headers: IP, or (ip_version kNone) MAC addresses; bits beyond the prefix are 0.
  IpAddress src_address{};
  IpAddress dst_address{};
  /// kFiveTuple. Ports are 0 where there are none, and in every fragment, so that all fragments of
  /// a datagram have one key. For a packet without IP, src_port is its EtherType.
  std::uint16_t src_port = 0;
  std::uint16_t dst_port = 0;
  std::uint8_t ip_protocol = 0;
  IpVersion ip_version = IpVersion::kNone;
  FlowKeyKind kind = FlowKeyKind::kFiveTuple;
  /// kSource and kDestination of IP: how many bits of the address are used.
  std::uint8_t prefix_length = 0;

  /// The key as the hash and the comparison see it.
  using Words = std::array<std::uint64_t, 5>;
  [[nodiscard]] Words words() const { return std::bit_cast<Words>(*this); }
  friend bool operator==(const FlowKey& a, const FlowKey& b) {
    const Words x = a.words();
    const Words y = b.words();
    // One branch instead of five.
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4])) == 0;
  }
};
static_assert(sizeof(FlowKey) == 40 && std::has_unique_object_representations_v<FlowKey>);

/// The flow of a packet. A packet without (readable) IP: kFiveTuple takes both MAC addresses and
/// the EtherType, kSource and kDestination the one MAC address. Longer prefixes than 32 and 128 are
/// treated as 32 and 128.
[[nodiscard]] FlowKey make_flow_key(const Headers& headers, FlowTemplateKey flow_template);

/// "10.0.0.1:5000>10.0.0.2:80/tcp", "[2001:db8::1]:5000>[2001:db8::2]:80/udp", without ports
/// "10.0.0.1>10.0.0.2/icmp"; "10.0.0.0/24" for a source or a destination; without IP
/// "02:00:00:00:00:01>02:00:00:00:00:02/0x0806" and "02:00:00:00:00:01".
[[nodiscard]] std::string to_text(const FlowKey& key);

/// A keyed hash: senders choose the flow keys, and must not be able to choose them so that they
/// collide. Multilinear-HM, strongly universal in its 32 bits (Lemire and Kaser, "Strongly
/// universal string hashing is fast", Computer Journal 57(11), 2014, section 3).
class FlowHash {
 public:
  /// Keyed from the system's random source.
  FlowHash();
  /// Reproducible: for tests.
  explicit FlowHash(std::uint64_t seed);

  [[nodiscard]] std::uint32_t operator()(const FlowKey& key) const {
    const FlowKey::Words words = key.words();
    std::uint64_t sum = key_[0];
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::uint64_t low = words[i] & 0xffffffffU;
      const std::uint64_t high = words[i] >> 32;
      sum += (key_[2 * i + 1] + low) * (key_[2 * i + 2] + high);
    }
    return mixed(static_cast<std::uint32_t>(sum >> 32));
  }

 private:
  /// A bijection, so it adds no collisions (Wellons' lowbias32). Without it, flows with consecutive
  /// ports or addresses get hashes at a constant distance, which fills a table unevenly for some
  /// keys: strong universality is about pairs, not about the distribution of thousands of keys.
  static std::uint32_t mixed(std::uint32_t hash) {
    hash = (hash ^ hash >> 16) * 0x7feb352dU;
    hash = (hash ^ hash >> 15) * 0x846ca68bU;
    return hash ^ hash >> 16;
  }

  std::array<std::uint64_t, 11> key_;
};

}  // namespace drip
