// SPDX-License-Identifier: BSD-3-Clause
// What tells the flows of a queue apart, and its keyed hash.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "drip/time.h"

namespace drip {

/// What shares a leaf fairly.
enum class Isolation : std::uint8_t {
  kFlow,         ///< Flows: addresses, protocol and ports.
  kSource,       ///< Source addresses.
  kDestination,  ///< Destination addresses.
  kHosts,        ///< Hosts, on both sides, and the flows of each host.
  kNone,         ///< Nothing: one first in, first out queue, for its AQM.
};

/// The flow of a packet, as its headers name it. Fields that are absent are 0; equal bytes are
/// equal flows.
struct QueueKey {
  /// IPv4 in the first 4 bytes; without IP the MAC address in the first 6.
  std::array<std::uint8_t, 16> source{};
  std::array<std::uint8_t, 16> destination{};
  std::uint16_t source_port = 0;  ///< 0 in every fragment; the EtherType without IP.
  std::uint16_t destination_port = 0;
  std::uint8_t protocol = 0;
  std::uint8_t version = 0;  ///< 4 or 6, 0 without IP.
  std::uint16_t unused = 0;

  friend bool operator==(const QueueKey&, const QueueKey&) = default;
};
static_assert(sizeof(QueueKey) == 40 && std::has_unique_object_representations_v<QueueKey>);

/// 16 bytes that are compared as a whole.
struct ShortKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  friend bool operator==(const ShortKey& a, const ShortKey& b) {
    return ((a.high ^ b.high) | (a.low ^ b.low)) == 0;
  }
};

/// Makes 16-byte keys of flows, and hashes them, both keyed by the seed: senders choose the headers
/// of their packets, and must not be able to choose such that collide.
///
/// An address is its own key, and so is a flow of IPv4 or without IP, whose fields have 13 and 14
/// bytes. The 37 bytes of an IPv6 flow are not kept: their key is 126 bits of two strongly
/// universal hashes (multilinear: Lemire and Kaser, "Strongly universal string hashing is fast",
/// Computer Journal 57(11), 2014, section 2). Two of a million IPv6 flows share a key with a
/// probability of 2^-86, whatever the flows are. A flow by hosts is exact for both: see
/// with_hosts().
class QueueHash {
 public:
  explicit QueueHash(std::uint64_t seed) {
    for (std::uint64_t& word : words_) word = next(seed);
    for (Uint128& word : wide_) {
      word = next(seed);
      word = word << 64 | next(seed);
    }
  }

  [[nodiscard]] ShortKey flow(const QueueKey& key) const {
    const std::uint64_t ends = key.source_port | std::uint64_t{key.destination_port} << 16 |
                               std::uint64_t{key.protocol} << 32;
    const auto source = std::bit_cast<std::array<std::uint64_t, 2>>(key.source);
    const auto destination = std::bit_cast<std::array<std::uint64_t, 2>>(key.destination);
    if (key.version == 4) [[likely]]
      return {source[0] | destination[0] << 32, ends | kIpv4 << 56};
    if (key.version == 6) return digest(key, ends);
    constexpr std::uint64_t kMac = (std::uint64_t{1} << 48) - 1;
    // 48 bits, 48 bits, and the EtherType.
    return {(source[0] & kMac) | destination[0] << 48, (destination[0] >> 16 & 0xffff'ffffU) |
                                                           std::uint64_t{key.source_port} << 32 |
                                                           kMacs << 56};
  }
  /// `address` of a packet of this IP version. An IPv6 packet can not have the key of another: an
  /// IPv4 or a MAC address lies in ::/8, which is reserved (RFC 4291, section 2.4).
  [[nodiscard]] static ShortKey host(const std::array<std::uint8_t, 16>& address,
                                     std::uint8_t version) {
    auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address);
    if (version == 6) return {words[0], words[1]};
    constexpr std::uint8_t kReserved = 0;
    const std::array<std::uint8_t, 8> prefix = {
        kReserved, static_cast<std::uint8_t>(version == 4 ? 0xf4 : 0xfa)};
    return {std::bit_cast<std::uint64_t>(prefix), words[0]};
  }
  /// A flow whose hosts have records: they stand for the addresses.
  [[nodiscard]] static ShortKey with_hosts(const QueueKey& key, std::uint32_t source,
                                           std::uint32_t destination) {
    return {source | std::uint64_t{destination} << 32,
            key.source_port | std::uint64_t{key.destination_port} << 16 |
                std::uint64_t{key.protocol} << 32 | std::uint64_t{key.version} << 40};
  }

  /// The same from such a key with other records.
  [[nodiscard]] static ShortKey with_hosts(const ShortKey& key, std::uint32_t source,
                                           std::uint32_t destination) {
    return {source | std::uint64_t{destination} << 32, key.low};
  }

  /// 32 bits for a table: Multilinear-HM (section 3 there), then a bijection without which flows
  /// with consecutive ports fill a table unevenly (Wellons' lowbias32).
  [[nodiscard]] std::uint32_t operator()(const ShortKey& key, std::uint32_t owner) const {
    std::uint64_t sum = words_[0] + (words_[5] + owner) * words_[6];
    sum += (words_[1] + (key.high & 0xffff'ffffU)) * (words_[2] + (key.high >> 32));
    sum += (words_[3] + (key.low & 0xffff'ffffU)) * (words_[4] + (key.low >> 32));
    auto hash = static_cast<std::uint32_t>(sum >> 32);
    hash = (hash ^ hash >> 16) * 0x7feb352dU;
    hash = (hash ^ hash >> 15) * 0x846ca68bU;
    return hash ^ hash >> 16;
  }

 private:
  static constexpr std::uint64_t kMacs = 1;
  static constexpr std::uint64_t kIpv4 = 4;
  static constexpr std::uint64_t kDigest = 0x80;
  static constexpr std::size_t kInputs = 5;  // Two addresses, and the rest.

  // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
  static std::uint64_t next(std::uint64_t& state) {
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
  }
  [[nodiscard, gnu::noinline]] ShortKey digest(const QueueKey& key, std::uint64_t ends) const {
    const auto source = std::bit_cast<std::array<std::uint64_t, 2>>(key.source);
    const auto destination = std::bit_cast<std::array<std::uint64_t, 2>>(key.destination);
    const std::array<std::uint64_t, kInputs> input = {source[0], source[1], destination[0],
                                                      destination[1], ends};
    Uint128 high = wide_[0];
    Uint128 low = wide_[1];
    for (std::size_t i = 0; i < kInputs; ++i) {
      high += wide_[2 * i + 2] * input[i];
      low += wide_[2 * i + 3] * input[i];
    }
    // Bit 127 tells it from a key of IPv4 and of MAC addresses.
    return {static_cast<std::uint64_t>(high >> 64),
            static_cast<std::uint64_t>(low >> 64) | kDigest << 56};
  }

  std::array<std::uint64_t, 7> words_;
  std::array<Uint128, 2 * kInputs + 2> wide_;
};

}  // namespace drip
