// SPDX-License-Identifier: BSD-3-Clause
// The key that identifies a flow in a table, its text, and its hash.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "packet/headers.h"
#include "packet/ip_prefix.h"

namespace drip {

/// Which header fields identify a flow.
enum class FlowKeyKind : std::uint8_t {
  kFiveTuple = 0,
  kSource = 1,
  kDestination = 2,
  kSourceMac = 3,
  kDestinationMac = 4,
  kLink = 5,  ///< Nothing but FlowTemplateKey::parts.
};

struct FlowTemplateKey {
  /// Bits of `parts`.
  static constexpr std::uint8_t kVlan = 1;
  static constexpr std::uint8_t kInnerVlan = 2;
  static constexpr std::uint8_t kIngressPort = 4;
  /// Addresses, protocol and ports are those of the innermost packet (packet/tunnels.h). Who calls
  /// make_flow_key() gives it those headers.
  static constexpr std::uint8_t kInner = 8;

  FlowKeyKind kind = FlowKeyKind::kFiveTuple;
  /// kSource and kDestination: how many bits of the address are used, 0 to 32 and 0 to 128.
  std::uint8_t ipv4_prefix_length = 32;
  std::uint8_t ipv6_prefix_length = 128;
  std::uint8_t parts = 0;  ///< What of the link is part of the key as well.

  bool operator==(const FlowTemplateKey&) const = default;
};

/// The identity of a flow. Fields that the kind of key does not use are 0, so that equal bytes mean
/// equal flows.
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
  /// By FlowTemplateKey::parts, which is here as well; kNoVlan for a tag that the packet has not.
  std::uint16_t vlan_id = 0;
  std::uint16_t inner_vlan_id = 0;
  std::uint16_t ingress_port = 0;
  std::uint16_t parts = 0;

  /// The key as the hash and the comparison see it.
  using Words = std::array<std::uint64_t, 6>;
  [[nodiscard]] Words words() const { return std::bit_cast<Words>(*this); }
  friend bool operator==(const FlowKey& a, const FlowKey& b) {
    const Words x = a.words();
    const Words y = b.words();
    // One branch instead of six.
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
            (x[5] ^ y[5])) == 0;
  }
};
static_assert(sizeof(FlowKey) == 48 && std::has_unique_object_representations_v<FlowKey>);

/// What a key may need of a packet beside its headers.
struct FlowSource {
  std::uint16_t ingress_port = 0;
  /// What the headers were parsed from. Only for kSourceMac and kDestinationMac.
  std::span<const std::uint8_t> bytes{};
};
[[nodiscard]] constexpr bool needs_bytes(FlowKeyKind kind) {
  return kind == FlowKeyKind::kSourceMac || kind == FlowKeyKind::kDestinationMac;
}

/// The flow of a packet. A packet without (readable) IP: kFiveTuple takes both MAC addresses and
/// the EtherType, kSource and kDestination the one MAC address. Longer prefixes than 32 and 128 are
/// treated as 32 and 128.
[[nodiscard]] FlowKey make_flow_key(const Headers& headers, FlowTemplateKey flow_template,
                                    const FlowSource& source = {});

/// "10.0.0.1:5000>10.0.0.2:80/tcp", "[2001:db8::1]:5000>[2001:db8::2]:80/udp", without ports
/// "10.0.0.1>10.0.0.2/icmp"; "10.0.0.0/24" for a source or a destination; without IP
/// "02:00:00:00:00:01>02:00:00:00:00:02/0x0806" and "02:00:00:00:00:01". Parts of the link come
/// behind it: "10.0.0.1/32,vlan=5,inner-vlan=none,port=lan". `ports`: the names of the ports.
[[nodiscard]] std::string to_text(const FlowKey& key, std::span<const std::string> ports = {});

/// Whether make_flow_key() makes keys like this one with the template: of the same kind, with as
/// many bits of the address, and the same parts.
[[nodiscard]] bool is_made_by(const FlowKey& key, const FlowTemplateKey& flow_template);

/// What keys of several templates say alike of a packet.
struct CommonFlowKey {
  FlowTemplateKey key;
  bool nothing = false;  ///< They have nothing in common.
};
[[nodiscard]] CommonFlowKey common_of(const CommonFlowKey& common, const FlowTemplateKey& other);
/// Of keys of one packet by any of the templates, this part is the same.
[[nodiscard]] FlowKey common_part(const FlowKey& key, const CommonFlowKey& common);

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

  std::array<std::uint64_t, 13> key_;
};

}  // namespace drip
