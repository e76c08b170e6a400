// SPDX-License-Identifier: BSD-3-Clause
// Checks matches, and turns matches and packets into the keys of tuple_space.h.
#include "classifier/classifier.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <memory>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "packet/big_endian.h"
#include "packet/protocol_numbers.h"
#include "packet/tunnels.h"

namespace drip {
namespace {

// ---- Checks of a match

absl::Status refuse(const char* field, const std::string& value, const std::string& allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("match.", field, ": ", value, " is not allowed; allowed: ", allowed));
}

std::string hex(std::uint16_t value) {
  return absl::StrCat("0x", absl::Hex(value, absl::kZeroPad4));
}

template <typename T>
absl::Status check_at_most(const char* field, const std::optional<T>& value, unsigned most) {
  if (!value || *value <= most) return absl::OkStatus();
  return refuse(field, absl::StrCat(*value), absl::StrCat("0 to ", most));
}

absl::Status check_ports(const char* field, const std::optional<PortRange>& ports,
                         const std::optional<std::uint8_t>& protocol) {
  if (!ports) return absl::OkStatus();
  if (ports->first > ports->last) {
    return refuse(field, absl::StrCat(ports->first, "-", ports->last), "first at most last");
  }
  if (!protocol || std::ranges::find(kProtocolsWithPorts, *protocol) != kProtocolsWithPorts.end()) {
    return absl::OkStatus();
  }
  return refuse(field, absl::StrCat("with ip_protocol ", *protocol),
                "ports only with TCP 6, UDP 17, DCCP 33, SCTP 132, UDP-Lite 136 or none");
}

bool names_ports(const Match& match) { return match.src_port || match.dst_port; }

// kNone: the match has no prefix.
IpVersion prefix_version(const Match& match) {
  if (match.src_prefix) return match.src_prefix->version();
  if (match.dst_prefix) return match.dst_prefix->version();
  return IpVersion::kNone;
}

bool needs_ip(const Match& match) {
  return prefix_version(match) != IpVersion::kNone || match.ip_protocol || match.dscp ||
         names_ports(match) || match.icmp_type || match.tcp_flags;
}

// IP may be behind these, and is matched by them as well.
bool may_carry_ip(std::uint16_t ether_type) {
  return ether_type == ether_type::kPppoeSession || ether_type == ether_type::kMpls ||
         ether_type == ether_type::kMplsUpstream;
}

absl::Status check_versions(const Match& match) {
  const IpVersion version = prefix_version(match);
  if (match.dst_prefix && match.dst_prefix->version() != version) {
    return refuse("dst_prefix", match.dst_prefix->to_text(),
                  absl::StrCat("the IP version of src_prefix ", match.src_prefix->to_text()));
  }
  if (!match.ether_type) return absl::OkStatus();
  if (*match.ether_type < ether_type::kFirst) {
    return refuse("ether_type", hex(*match.ether_type), "0x0600 to 0xffff");
  }
  if (needs_ip(match) && !may_carry_ip(*match.ether_type) &&
      !(*match.ether_type == ether_type::kIpv4 && version != IpVersion::kV6) &&
      !(*match.ether_type == ether_type::kIpv6 && version != IpVersion::kV4)) {
    return refuse("ether_type", hex(*match.ether_type),
                  "that of the match's IP fields, 0x0800 for IPv4 or 0x86dd for IPv6, or one "
                  "behind which IP may be: 0x8864, 0x8847, 0x8848");
  }
  return absl::OkStatus();
}

absl::Status check_icmp(const Match& match) {
  if (!match.icmp_type) {
    return match.icmp_code ? refuse("icmp_code", absl::StrCat(*match.icmp_code, " without a type"),
                                    "only with icmp_type")
                           : absl::OkStatus();
  }
  if (names_ports(match) || match.tcp_flags) {
    return refuse("icmp_type", "with ports or TCP flags", "without, as ICMP has neither");
  }
  if (match.ip_protocol && *match.ip_protocol != ip_protocol::kIcmp &&
      *match.ip_protocol != ip_protocol::kIcmpv6) {
    return refuse("icmp_type", absl::StrCat("with ip_protocol ", *match.ip_protocol),
                  "only with ICMP 1, ICMPv6 58 or none");
  }
  return absl::OkStatus();
}

absl::Status check_tcp_flags(const Match& match) {
  if (!match.tcp_flags) return absl::OkStatus();
  if (match.ip_protocol && *match.ip_protocol != ip_protocol::kTcp) {
    return refuse("tcp_flags", absl::StrCat("with ip_protocol ", *match.ip_protocol),
                  "only with TCP 6 or none");
  }
  if (match.tcp_flags->mask == 0 || (match.tcp_flags->set & ~match.tcp_flags->mask) != 0) {
    return refuse("tcp_flags_mask", absl::StrCat(match.tcp_flags->mask),
                  "1 to 255, with all bits of tcp_flags");
  }
  return absl::OkStatus();
}

bool looks_deeper(const Match& match) {
  return match.inner || match.icmp_type || match.tcp_flags || match.src_mac || match.dst_mac;
}

// ---- Keys of packets and rules

struct AddressWords {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
};

AddressWords words_of(const IpAddress& address) {
  return {load_be64(address.data()), load_be64(address.data() + 8)};
}

std::uint64_t leading_ones(int count) {
  if (count <= 0) return 0;
  return count >= 64 ? ~0ULL : ~0ULL << (64 - count);
}

// In the word of the destination, above its ICMP bit: the frame is too short for its addresses.
// Then no rule with an address matches.
constexpr std::uint64_t kNoMac = DestinationWord::kIcmp << 1;

// What is in no Headers.
struct MoreFields {
  std::uint64_t source = 0;       // SourceWord.
  std::uint64_t destination = 0;  // DestinationWord.
};

// `begin`: where the offsets of `headers` begin in `bytes`. MAC addresses are those of the frame.
MoreFields more_fields(const Headers& headers, std::span<const std::uint8_t> bytes,
                       std::size_t begin) {
  constexpr std::size_t kFlagsOffset = 13;  // RFC 9293, 3.1
  std::uint64_t src_mac = 0;
  std::uint64_t dst_mac = kNoMac;
  if (bytes.size() >= 2 * header_bytes::kMac) {
    dst_mac = load_be64(bytes.data()) >> 16;
    src_mac = std::uint64_t{load_be16(bytes.data() + header_bytes::kMac)} << 32 |
              load_be32(bytes.data() + header_bytes::kMac + 2);
  }
  const std::size_t flags_at = begin + headers.l4_offset + kFlagsOffset;
  const bool is_tcp =
      headers.ip_protocol == ip_protocol::kTcp && headers.ports_valid && bytes.size() > flags_at;
  return {SourceWord::of(src_mac, headers.icmp_type, headers.icmp_code),
          DestinationWord::of(dst_mac, is_tcp ? bytes[flags_at] : std::uint8_t{0}, is_tcp,
                              headers.icmp_valid)};
}

// Of IPv4.
std::uint64_t addresses_of(const Headers& headers) {
  return std::uint64_t{load_be32(headers.src_address.data())} << 32 |
         load_be32(headers.dst_address.data());
}

template <std::size_t kWords>
PacketKey<kWords> key_of(const Headers& headers, std::uint16_t ingress_port,
                         const MoreFields& more = {}) {
  PacketKey<kWords> key;
  if constexpr (has_more_words(kWords)) {
    key[kWords - 4] = more.source;
    key[kWords - 3] = more.destination;
  }
  if constexpr (version_of_key(kWords) == IpVersion::kV4) {
    key[0] = addresses_of(headers);
  } else if constexpr (version_of_key(kWords) == IpVersion::kV6) {
    const AddressWords src = words_of(headers.src_address);
    const AddressWords dst = words_of(headers.dst_address);
    key[0] = src.high;
    key[1] = src.low;
    key[2] = dst.high;
    key[3] = dst.low;
  }
  key[kWords - 2] = TransportWord::of(headers.src_port, headers.dst_port, headers.ip_protocol,
                                      headers.dscp, headers.ports_valid);
  key[kWords - 1] =
      LinkWord::of(headers.ether_type, headers.vlan_id, headers.inner_vlan_id, ingress_port);
  return key;
}

template <std::size_t kWords>
void add_prefix(const IpPrefix& prefix, bool is_src, MaskedRule<kWords>& rule) {
  const AddressWords address = words_of(prefix.address());
  if constexpr (version_of_key(kWords) == IpVersion::kV4) {
    const int shift = is_src ? 0 : 32;
    rule.mask[0] |= leading_ones(prefix.length()) >> shift;
    rule.value[0] |= address.high >> shift;
  } else {
    const std::size_t word = is_src ? 0 : 2;
    rule.mask[word] = leading_ones(prefix.length());
    rule.mask[word + 1] = leading_ones(prefix.length() - 64);
    rule.value[word] = address.high;
    rule.value[word + 1] = address.low;
  }
}

std::uint64_t mac_mask(const std::optional<MacPrefix>& mac) {
  return mac ? leading_ones(mac->length) >> 16 : 0;
}
std::uint64_t mac_value(const std::optional<MacPrefix>& mac) { return mac ? mac->address : 0; }

template <std::size_t kWords>
void add_more_fields(const Match& match, MaskedRule<kWords>& rule) {
  const TcpFlags flags = match.tcp_flags.value_or(TcpFlags{});
  rule.mask[kWords - 4] = mac_mask(match.src_mac) | (match.icmp_type ? SourceWord::kIcmpType : 0) |
                          (match.icmp_code ? SourceWord::kIcmpCode : 0);
  rule.value[kWords - 4] = SourceWord::of(mac_value(match.src_mac), match.icmp_type.value_or(0),
                                          match.icmp_code.value_or(0));
  rule.mask[kWords - 3] =
      mac_mask(match.dst_mac) | (match.src_mac || match.dst_mac ? kNoMac : 0) |
      DestinationWord::of(0, flags.mask, match.tcp_flags.has_value(), match.icmp_type.has_value());
  rule.value[kWords - 3] =
      DestinationWord::of(mac_value(match.dst_mac), flags.set, match.tcp_flags.has_value(),
                          match.icmp_type.has_value());
}

template <typename T>
std::uint64_t mask_if(const std::optional<T>& value, std::uint64_t mask) {
  return value ? mask : 0;
}

bool is_single(const std::optional<PortRange>& ports) {
  return ports && ports->first == ports->last;
}

// The rule for the tuple space of one kind of packets (IPv4, IPv6, other), or nothing if no packet
// of that kind can match it. The IP version implies the EtherType, so rules with and without an
// EtherType share a tuple.
template <std::size_t kWords>
std::optional<MaskedRule<kWords>> masked_rule(const Match& match, std::uint32_t rank) {
  constexpr IpVersion kVersion = version_of_key(kWords);
  constexpr std::uint16_t kImplied =
      kVersion == IpVersion::kV4 ? ether_type::kIpv4 : ether_type::kIpv6;
  constexpr bool kIsIp = kVersion != IpVersion::kNone;
  // PPPoE and MPLS may have this IP behind them; what is neither can only have its own.
  const bool is_behind = kIsIp && match.ether_type && may_carry_ip(*match.ether_type);
  if (kIsIp ? !is_behind && match.ether_type.value_or(kImplied) != kImplied : needs_ip(match)) {
    return {};
  }
  if (kIsIp && prefix_version(match) != IpVersion::kNone && prefix_version(match) != kVersion) {
    return {};
  }
  MaskedRule<kWords> rule;
  rule.rank = rank;
  if constexpr (kIsIp) {
    if (match.src_prefix) add_prefix(*match.src_prefix, true, rule);
    if (match.dst_prefix) add_prefix(*match.dst_prefix, false, rule);
  }
  constexpr PortRange kAllPorts{0, 0xffff};
  const bool single_src = is_single(match.src_port);
  const bool single_dst = is_single(match.dst_port);
  if (!single_src) rule.src_ports = match.src_port.value_or(kAllPorts);
  if (!single_dst) rule.dst_ports = match.dst_port.value_or(kAllPorts);
  rule.mask[kWords - 2] = (single_src ? TransportWord::kSrcPort : 0) |
                          (single_dst ? TransportWord::kDstPort : 0) |
                          mask_if(match.ip_protocol, TransportWord::kProtocol) |
                          mask_if(match.dscp, TransportWord::kDscp) |
                          (names_ports(match) ? TransportWord::kPortsValid : 0);
  rule.value[kWords - 2] = TransportWord::of(
      single_src ? match.src_port->first : 0, single_dst ? match.dst_port->first : 0,
      match.ip_protocol.value_or(0), match.dscp.value_or(0), names_ports(match));
  const bool tests_type = !kIsIp || is_behind;
  rule.mask[kWords - 1] = (tests_type ? mask_if(match.ether_type, LinkWord::kEtherType) : 0) |
                          mask_if(match.vlan_id, LinkWord::kVlan) |
                          mask_if(match.inner_vlan_id, LinkWord::kInnerVlan) |
                          mask_if(match.ingress_port, LinkWord::kIngress);
  rule.value[kWords - 1] =
      LinkWord::of(tests_type ? match.ether_type.value_or(0) : 0, match.vlan_id.value_or(0),
                   match.inner_vlan_id.value_or(0), match.ingress_port.value_or(0));
  if constexpr (has_more_words(kWords)) add_more_fields(match, rule);
  return rule;
}

// Of the rules with this value of Match::inner.
template <std::size_t kWords>
TupleSpace<kWords> tuple_space(std::span<const ClassifierRule> rules,
                               std::span<const std::uint32_t> rule_of_rank, bool inner = false) {
  std::vector<MaskedRule<kWords>> masked;
  for (std::uint32_t rank = 0; rank < rule_of_rank.size(); ++rank) {
    const Match& match = rules[rule_of_rank[rank]].match;
    if (match.inner != inner) continue;
    if (auto rule = masked_rule<kWords>(match, rank)) masked.push_back(*rule);
  }
  return TupleSpace<kWords>(masked);
}

}  // namespace

absl::Status check_match(const Match& match) {
  absl::Status status = check_at_most("vlan_id", match.vlan_id, 4095);
  status.Update(check_at_most("inner_vlan_id", match.inner_vlan_id, 4095));
  status.Update(check_at_most("dscp", match.dscp, 63));
  status.Update(check_ports("src_port", match.src_port, match.ip_protocol));
  status.Update(check_ports("dst_port", match.dst_port, match.ip_protocol));
  status.Update(check_versions(match));
  status.Update(check_icmp(match));
  status.Update(check_tcp_flags(match));
  return status;
}

absl::StatusOr<Classifier> Classifier::build(std::span<const ClassifierRule> rules) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const absl::Status status = check_match(rules[i].match);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat("rule ", i, ": ", status.message()));
    }
  }
  Classifier classifier;
  std::vector<std::uint32_t>& rule_of_rank = classifier.rule_of_rank_;
  rule_of_rank.resize(rules.size());
  std::iota(rule_of_rank.begin(), rule_of_rank.end(), 0);
  std::ranges::stable_sort(rule_of_rank, std::ranges::greater{},
                           [rules](std::uint32_t index) { return rules[index].priority; });
  if (std::ranges::any_of(
          rules, [](const ClassifierRule& rule) { return drip::looks_deeper(rule.match); })) {
    auto deep = std::make_unique<Deep>();
    for (const bool inner : {false, true}) {
      DeepSpaces& spaces = inner ? deep->inner : deep->outer;
      spaces.ipv4 = tuple_space<kIpv4KeyWords + kMoreWords>(rules, rule_of_rank, inner);
      spaces.ipv6 = tuple_space<kIpv6KeyWords + kMoreWords>(rules, rule_of_rank, inner);
      spaces.other = tuple_space<kOtherKeyWords + kMoreWords>(rules, rule_of_rank, inner);
    }
    classifier.deep_ = std::move(deep);
  } else {
    classifier.ipv4_ = tuple_space<kIpv4KeyWords>(rules, rule_of_rank);
    classifier.ipv6_ = tuple_space<kIpv6KeyWords>(rules, rule_of_rank);
    classifier.other_ = tuple_space<kOtherKeyWords>(rules, rule_of_rank);
  }
  for (std::uint32_t& index : rule_of_rank) index = rules[index].result.value_or(index);
  std::uint32_t rank = 0;
  classifier.ranks_are_indices_ =
      std::ranges::all_of(rule_of_rank, [&rank](std::uint32_t index) { return index == rank++; });
  return classifier;
}

std::uint32_t Classifier::DeepSpaces::find(const Headers& headers, std::uint16_t ingress_port,
                                           std::span<const std::uint8_t> bytes,
                                           std::uint32_t begin) const {
  const MoreFields more = more_fields(headers, bytes, begin);
  if (headers.ip_version == IpVersion::kV4) {
    return ipv4.find(key_of<kIpv4KeyWords + kMoreWords>(headers, ingress_port, more));
  }
  if (headers.ip_version == IpVersion::kV6) {
    return ipv6.find(key_of<kIpv6KeyWords + kMoreWords>(headers, ingress_port, more));
  }
  return other.find(key_of<kOtherKeyWords + kMoreWords>(headers, ingress_port, more));
}

std::uint32_t Classifier::classify(const Headers& headers, std::uint16_t ingress_port,
                                   std::span<const std::uint8_t> bytes,
                                   std::uint32_t frame_bytes) const {
  if (deep_ == nullptr) return classify(headers, ingress_port);
  std::uint32_t rank = deep_->outer.find(headers, ingress_port, bytes, 0);
  if (!deep_->inner.empty()) {
    Headers inner;
    std::uint32_t begin = 0;
    parse_inner(bytes, frame_bytes, headers, inner, &begin);
    rank = std::min(rank, deep_->inner.find(inner, ingress_port, bytes, begin));
  }
  return rule_of(rank);
}

std::uint32_t Classifier::classify(const Headers& headers, std::uint16_t ingress_port) const {
  std::uint32_t rank = kNoRank;
  if (headers.ip_version == IpVersion::kV4) {
    if (!ipv4_.empty()) rank = ipv4_.find(key_of<kIpv4KeyWords>(headers, ingress_port));
  } else if (headers.ip_version == IpVersion::kV6) {
    if (!ipv6_.empty()) rank = ipv6_.find(key_of<kIpv6KeyWords>(headers, ingress_port));
  } else if (!other_.empty()) {
    rank = other_.find(key_of<kOtherKeyWords>(headers, ingress_port));
  }
  return rule_of(rank);
}

// So many packets at a time.
constexpr std::size_t kPass = 32;

void Classifier::classify_burst(std::span<const Headers> burst, std::uint16_t ingress_port,
                                std::span<std::uint32_t> rules) const {
  assert(rules.size() >= burst.size());
  if (ipv4_.tests_first_word_only()) return classify_burst_by_addresses(burst, ingress_port, rules);
  // IPv4 in two passes: with many rules each packet misses the cache in the hash table, and the
  // prefetches of a whole burst overlap these misses.
  for (std::size_t begin = 0; begin < burst.size(); begin += kPass) {
    const std::size_t count = std::min(kPass, burst.size() - begin);
    std::array<PacketKey<kIpv4KeyWords>, kPass> keys;
    std::array<std::uint64_t, kPass> first;
    for (std::size_t i = 0; i < count; ++i) {
      const Headers& headers = burst[begin + i];
      if (headers.ip_version != IpVersion::kV4 || ipv4_.empty()) continue;
      keys[i] = key_of<kIpv4KeyWords>(headers, ingress_port);
      first[i] = ipv4_.prefetch(keys[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Headers& headers = burst[begin + i];
      rules[begin + i] = headers.ip_version == IpVersion::kV4 && !ipv4_.empty()
                             ? rule_of(ipv4_.find(keys[i], first[i]))
                             : classify(headers, ingress_port);
    }
  }
}

// The same where rules for IPv4 test addresses alone.
void Classifier::classify_burst_by_addresses(std::span<const Headers> burst,
                                             std::uint16_t ingress_port,
                                             std::span<std::uint32_t> rules) const {
  for (std::size_t begin = 0; begin < burst.size(); begin += kPass) {
    const std::size_t count = std::min(kPass, burst.size() - begin);
    std::array<std::uint64_t, kPass> wanted;
    std::array<std::uint64_t, kPass> first;
    for (std::size_t i = 0; i < count; ++i) {
      // Also of what is not IPv4, for which there is no use of it.
      wanted[i] = addresses_of(burst[begin + i]);
      first[i] = ipv4_.prefetch_first_word(wanted[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      const Headers& headers = burst[begin + i];
      rules[begin + i] = headers.ip_version == IpVersion::kV4
                             ? rule_of(ipv4_.find_first_word(wanted[i], first[i]))
                             : classify(headers, ingress_port);
    }
  }
}

}  // namespace drip
