// SPDX-License-Identifier: BSD-3-Clause
// One hash table for each mask of tested bits, and the search through the tables for the best rule.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "classifier/interval_sets.h"
#include "classifier/match.h"
#include "classifier/port_ranges.h"
#include "drip/cache_line.h"
#include "drip/time.h"

namespace drip {

/// The fields that rules can test, as an array of 64-bit words. IPv4: both addresses in the first.
/// IPv6: the source in the first two, the destination in the next two. The last two are always
/// TransportWord and LinkWord. Rules that test more have two words more before these: SourceWord
/// and DestinationWord.
inline constexpr std::size_t kIpv4KeyWords = 3;
inline constexpr std::size_t kIpv6KeyWords = 6;
inline constexpr std::size_t kOtherKeyWords = 2;
inline constexpr std::size_t kMoreWords = 2;

/// The IP version of the packets whose keys have so many words.
constexpr IpVersion version_of_key(std::size_t words) {
  if (words == kIpv4KeyWords || words == kIpv4KeyWords + kMoreWords) return IpVersion::kV4;
  if (words == kIpv6KeyWords || words == kIpv6KeyWords + kMoreWords) return IpVersion::kV6;
  return IpVersion::kNone;
}
constexpr bool has_more_words(std::size_t words) {
  return words == kIpv4KeyWords + kMoreWords || words == kIpv6KeyWords + kMoreWords ||
         words == kOtherKeyWords + kMoreWords;
}

template <std::size_t kWords>
using PacketKey = std::array<std::uint64_t, kWords>;

/// Last but one: source port | destination port << 16 | protocol << 32 | DSCP << 40 | ports << 48.
struct TransportWord {
  static constexpr std::uint64_t kSrcPort = 0xffff;
  static constexpr std::uint64_t kDstPort = 0xffff0000;
  static constexpr std::uint64_t kProtocol = 0xffULL << 32;
  static constexpr std::uint64_t kDscp = 0xffULL << 40;
  static constexpr std::uint64_t kPortsValid = 1ULL << 48;
  static constexpr std::uint64_t of(std::uint16_t src_port, std::uint16_t dst_port,
                                    std::uint8_t protocol, std::uint8_t dscp, bool ports_valid) {
    return src_port | std::uint64_t{dst_port} << 16 | std::uint64_t{protocol} << 32 |
           std::uint64_t{dscp} << 40 | std::uint64_t{ports_valid} << 48;
  }
};

/// Last: EtherType | VLAN id << 16 | inner VLAN id << 32 | ingress port << 48.
struct LinkWord {
  static constexpr std::uint64_t kEtherType = 0xffff;
  static constexpr std::uint64_t kVlan = 0xffff0000;
  static constexpr std::uint64_t kInnerVlan = 0xffffULL << 32;
  static constexpr std::uint64_t kIngress = 0xffffULL << 48;
  static constexpr std::uint64_t of(std::uint16_t ether_type, std::uint16_t vlan_id,
                                    std::uint16_t inner_vlan_id, std::uint16_t ingress_port) {
    return ether_type | std::uint64_t{vlan_id} << 16 | std::uint64_t{inner_vlan_id} << 32 |
           std::uint64_t{ingress_port} << 48;
  }
};

/// Source MAC address | ICMP type << 48 | ICMP code << 56.
struct SourceWord {
  static constexpr std::uint64_t kIcmpType = 0xffULL << 48;
  static constexpr std::uint64_t kIcmpCode = 0xffULL << 56;
  static constexpr std::uint64_t of(std::uint64_t mac, std::uint8_t icmp_type,
                                    std::uint8_t icmp_code) {
    return mac | std::uint64_t{icmp_type} << 48 | std::uint64_t{icmp_code} << 56;
  }
};

/// Destination MAC address | TCP flags << 48 | TCP << 56 | ICMP << 57.
struct DestinationWord {
  static constexpr std::uint64_t kTcp = 1ULL << 56;
  static constexpr std::uint64_t kIcmp = 1ULL << 57;
  static constexpr std::uint64_t of(std::uint64_t mac, std::uint8_t tcp_flags, bool is_tcp,
                                    bool is_icmp) {
    return mac | std::uint64_t{tcp_flags} << 48 | (is_tcp ? kTcp : 0) | (is_icmp ? kIcmp : 0);
  }
};

/// Matches a packet if (key & mask) == value and its ports are in the ranges.
template <std::size_t kWords>
struct MaskedRule {
  PacketKey<kWords> mask{};
  PacketKey<kWords> value{};
  /// All ports if the port is a single one, which is in mask and value instead. A rule that tests
  /// ports in any way has kPortsValid in its mask.
  PortRange src_ports{0, 0xffff};
  PortRange dst_ports{0, 0xffff};
  std::uint32_t rank = kNoRank;
};

/// All rules with the same mask (a tuple) are in one hash table over the masked key; rules that
/// differ only in port ranges are a set behind one key. The search probes the tuples in the order
/// of their best rank and stops when no later tuple can have a better rule. With many tuples it
/// skips those without a rule for the packet's addresses and ports: for each such field a
/// precomputed bit set says which tuples are possible for the packet's value, and only tuples in
/// all of these sets are probed (the tuple pruning of the same paper, with bit vectors instead of
/// tries). Immutable.
template <std::size_t kWords>
class TupleSpace {
 public:
  TupleSpace() = default;
  explicit TupleSpace(std::span<const MaskedRule<kWords>> rules);

  [[nodiscard]] bool empty() const { return tuples_.empty(); }
  /// The lowest rank that matches; kNoRank if none does.
  [[nodiscard]] std::uint32_t find(const PacketKey<kWords>& key) const {
    return find(key, first_hash(key));
  }

  /// Prefetches the slot that find() will read first, if it is known without a search. Returns a
  /// hash for find(), which then need not compute it again.
  [[nodiscard]] std::uint64_t prefetch(const PacketKey<kWords>& key) const {
    const std::uint64_t first = first_hash(key);
    if (!tuples_.empty()) {
      const Tuple& tuple = tuples_.front();
      prefetch_to_read(&slots_[tuple.first_slot + (first & tuple.slot_mask)]);
    }
    return first;
  }
  /// The same as find(key). `first`: the result of prefetch(key).
  [[nodiscard]] std::uint32_t find(const PacketKey<kWords>& key, std::uint64_t first) const;

  /// Whether all rules test the same bits, and none of them beyond the first word of the key: of
  /// IPv4 the addresses, as when each customer has one. Then prefetch_first_word() and
  /// find_first_word() do what prefetch() and find() do, with a third of the instructions.
  [[nodiscard]] bool tests_first_word_only() const { return tests_first_word_only_; }
  /// REQUIRES: tests_first_word_only(). `word`: of the key; becomes what is looked for.
  [[nodiscard, gnu::always_inline]] std::uint64_t prefetch_first_word(std::uint64_t& word) const {
    const Tuple& tuple = tuples_.front();
    word &= tuple.mask[0];
    const std::uint64_t at = tuple.slot_mask == 0 ? 0 : hash(PacketKey<kWords>{word});
    prefetch_to_read(&slots_[at & tuple.slot_mask]);
    return at;
  }
  /// REQUIRES: what prefetch_first_word() has made and returned.
  [[nodiscard, gnu::always_inline]] std::uint32_t find_first_word(std::uint64_t wanted,
                                                                  std::uint64_t at) const {
    const std::uint32_t slot_mask = tuples_.front().slot_mask;
    for (std::uint32_t tries = 0; tries <= slot_mask; ++tries, ++at) {
      const Slot& slot = slots_[at & slot_mask];
      // An empty slot has the rank kNoRank, and the key 0, which may be looked for as well.
      if (slot.key[0] == wanted || slot.best_rank == kNoRank) return slot.best_rank;
    }
    return kNoRank;
  }

 private:
  struct Tuple {
    PacketKey<kWords> mask{};
    std::uint32_t best_rank = kNoRank;
    std::uint32_t first_slot = 0;
    std::uint32_t slot_mask = 0;  ///< 0: a single key, which needs no hash.
  };
  struct Slot {
    PacketKey<kWords> key{};
    std::uint32_t best_rank = kNoRank;  ///< kNoRank: empty.
    std::uint32_t ranges = 0;           ///< 0: no ranges, best_rank is the result.
  };
  /// A field of the key by which tuples are skipped.
  struct Field {
    std::uint8_t word = 0;
    std::uint8_t shift = 0;
    std::uint8_t bits = 0;

    [[nodiscard]] std::uint64_t of(const PacketKey<kWords>& key) const {
      return key[word] >> shift & (bits == 64 ? ~0ULL : (1ULL << bits) - 1);
    }
  };
  struct Filter {
    Field field;
    IntervalSets tuples;
  };
  using Rules = std::vector<MaskedRule<kWords>>;
  static constexpr std::size_t kMostFilters = 5;

  static std::span<const Field> fields();
  static Interval interval_of(const MaskedRule<kWords>& rule, const Field& field);
  [[gnu::always_inline]] static std::uint64_t hash(const PacketKey<kWords>& key);
  static PacketKey<kWords> masked(const PacketKey<kWords>& key, const Tuple& tuple) {
    PacketKey<kWords> wanted;
    for (std::size_t i = 0; i < kWords; ++i) wanted[i] = key[i] & tuple.mask[i];
    return wanted;
  }
  static std::uint64_t hash_in(const Tuple& tuple, const PacketKey<kWords>& wanted) {
    return tuple.slot_mask == 0 ? 0 : hash(wanted);
  }
  /// The hash for the first tuple; 0 if it may be skipped.
  [[nodiscard]] std::uint64_t first_hash(const PacketKey<kWords>& key) const {
    if (!filters_.empty() || tuples_.empty()) return 0;
    return hash_in(tuples_.front(), masked(key, tuples_.front()));
  }
  /// The lowest rank in the tuple that matches and is below `best`, or `best`. `at`: hash_in() of
  /// `wanted`.
  [[nodiscard]] std::uint32_t probe(const Tuple& tuple, const PacketKey<kWords>& key,
                                    const PacketKey<kWords>& wanted, std::uint64_t at,
                                    std::uint32_t best) const;
  void add_tuple(const Rules& rules);
  void add_slot(const Tuple& tuple, std::span<const MaskedRule<kWords>> same_key);
  void add_filters(const std::vector<Rules>& rules_of_tuple);

  std::vector<Tuple> tuples_;  ///< By best_rank.
  std::vector<Slot> slots_;
  PortRanges ranges_;
  std::vector<Filter> filters_;  ///< Empty: all tuples are probed.
  bool tests_first_word_only_ = false;
};

// The search is inline so that the key stays in registers. Written to memory in 64-bit words and
// read back as vectors it would stall on store forwarding, which takes as long as the search.

template <std::size_t kWords>
[[gnu::always_inline]] inline std::uint64_t TupleSpace<kWords>::hash(const PacketKey<kWords>& key) {
  // Digits of pi. The hash need not be keyed: operators make the rules, senders cannot fill the
  // table.
  constexpr std::array<std::uint64_t, 8> kSalt = {
      0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89,
      0x452821e638d01377, 0xbe5466cf34e90c6c, 0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917};
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kWords; i += 2) {
    const std::uint64_t other = i + 1 < kWords ? key[i + 1] : 0;
    const auto product = static_cast<Uint128>(key[i] ^ kSalt[i]) * (other ^ kSalt[i + 1]);
    sum ^= static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
  }
  return sum;
}

template <std::size_t kWords>
[[gnu::always_inline]] inline std::uint32_t TupleSpace<kWords>::probe(
    const Tuple& tuple, const PacketKey<kWords>& key, const PacketKey<kWords>& wanted,
    std::uint64_t at, std::uint32_t best) const {
  for (std::uint32_t tries = 0; tries <= tuple.slot_mask; ++tries, ++at) {
    const Slot& slot = slots_[tuple.first_slot + (at & tuple.slot_mask)];
    std::uint64_t difference = 0;
    for (std::size_t i = 0; i < kWords; ++i) difference |= slot.key[i] ^ wanted[i];
    if (difference != 0) {
      if (slot.best_rank == kNoRank) return best;
      continue;
    }
    // The key of an empty slot is 0, and a packet's may be too; its rank kNoRank is never better.
    if (slot.ranges != 0) {
      const std::uint64_t transport = key[kWords - 2];
      return ranges_.find(slot.ranges, static_cast<std::uint16_t>(transport),
                          static_cast<std::uint16_t>(transport >> 16), best);
    }
    return slot.best_rank < best ? slot.best_rank : best;
  }
  return best;
}

template <std::size_t kWords>
inline std::uint32_t TupleSpace<kWords>::find(const PacketKey<kWords>& key,
                                              std::uint64_t first) const {
  std::uint32_t best = kNoRank;
  if (filters_.empty()) {
    std::uint64_t at = first;
    for (const Tuple& tuple : tuples_) {
      if (tuple.best_rank >= best) break;
      const PacketKey<kWords> wanted = masked(key, tuple);
      if (&tuple != tuples_.data()) at = hash_in(tuple, wanted);
      best = probe(tuple, key, wanted, at, best);
    }
    return best;
  }
  std::array<const std::uint64_t*, kMostFilters> sets;
  const std::size_t filter_count = filters_.size();
  for (std::size_t i = 0; i < filter_count; ++i) {
    sets[i] = filters_[i].tuples.at(filters_[i].field.of(key));
  }
  const std::size_t words = filters_[0].tuples.word_count();
  for (std::size_t word = 0; word < words; ++word) {
    std::uint64_t possible = sets[0][word];
    for (std::size_t i = 1; i < filter_count; ++i) possible &= sets[i][word];
    for (; possible != 0; possible &= possible - 1) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(possible));
      const Tuple& tuple = tuples_[word * 64 + bit];
      if (tuple.best_rank >= best) return best;
      const PacketKey<kWords> wanted = masked(key, tuple);
      best = probe(tuple, key, wanted, hash_in(tuple, wanted), best);
    }
  }
  return best;
}

extern template class TupleSpace<kIpv4KeyWords>;
extern template class TupleSpace<kIpv6KeyWords>;
extern template class TupleSpace<kOtherKeyWords>;
extern template class TupleSpace<kIpv4KeyWords + kMoreWords>;
extern template class TupleSpace<kIpv6KeyWords + kMoreWords>;
extern template class TupleSpace<kOtherKeyWords + kMoreWords>;

}  // namespace drip
