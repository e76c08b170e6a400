// SPDX-License-Identifier: BSD-3-Clause
// Rules and a frame through the classifier: it decides as a search of the rules one by one does.
//
// The fields of the rules are those that the frame has, or nearly those: rules of random values
// would fit no packet. Each rule is 5 bytes: which fields, priority, and which one is changed.
#include <array>
#include <vector>

#include "classifier/classifier.h"
#include "classifier/mismatch.h"
#include "classifier/random_rules.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/frame_seeds.h"
#include "fuzz/support/fuzz_target.h"
#include "packet/tunnels.h"

namespace drip::fuzz {
namespace {

constexpr std::size_t kMostRules = 12;
constexpr std::size_t kRuleBytes = 5;
constexpr std::size_t kHeadBytes = 3;  // Number of rules, ingress port, bytes that are elsewhere.

// The fields of `frame` that the bits of `fields` choose.
Match match_of(const ExaminedFrame& frame, std::uint32_t fields, std::uint8_t length) {
  Match match;
  match.inner = (fields & 1) != 0;
  const Headers& headers = match.inner ? frame.inner : frame.headers;
  const auto chosen = [&fields] { return ((fields >>= 1) & 1) != 0; };
  const bool is_ip = headers.ip_version != IpVersion::kNone;
  const auto most = static_cast<std::uint8_t>(headers.ip_version == IpVersion::kV4 ? 32 : 128);
  const auto prefix = [&](const IpAddress& address) {
    return IpPrefix::of(headers.ip_version, address, length % (most + 1));
  };
  if (chosen() && is_ip) match.src_prefix = prefix(headers.src_address);
  if (chosen() && is_ip) match.dst_prefix = prefix(headers.dst_address);
  if (chosen()) match.ip_protocol = headers.ip_protocol;
  if (chosen()) match.src_port = PortRange{headers.src_port, headers.src_port};
  if (chosen()) {
    match.dst_port = PortRange{static_cast<std::uint16_t>(headers.dst_port & ~length),
                               static_cast<std::uint16_t>(headers.dst_port | length)};
  }
  if (chosen()) match.vlan_id = headers.vlan_id & 4095;
  if (chosen()) match.inner_vlan_id = headers.inner_vlan_id & 4095;
  if (chosen()) match.dscp = headers.dscp;
  if (chosen()) match.ingress_port = frame.ingress_port;
  if (chosen()) match.ether_type = headers.ether_type;
  if (chosen()) match.icmp_type = headers.icmp_type;
  if (chosen()) match.icmp_code = headers.icmp_code;
  if (chosen()) match.tcp_flags = TcpFlags{static_cast<std::uint8_t>(0x12 & length), length};
  std::uint64_t macs[2] = {};
  for (std::size_t i = 0; i < 12 && i < frame.bytes.size(); ++i) {
    macs[i / 6] = macs[i / 6] << 8 | frame.bytes[i];
  }
  const auto mac = [&](std::uint64_t address) {
    const auto bits = static_cast<std::uint8_t>(1 + length % 48);
    return MacPrefix{address >> (48 - bits) << (48 - bits), bits};
  };
  if (chosen()) match.src_mac = mac(macs[1]);
  if (chosen()) match.dst_mac = mac(macs[0]);
  return match;
}

// One field of another value.
void change(Match& match, std::uint8_t which) {
  switch (which % 12) {
    case 1:
      if (match.dst_port) match.dst_port->last = 0xffff;
      break;
    case 2:
      if (match.src_port) match.src_port->first = 0;
      break;
    case 3:
      if (match.ip_protocol) *match.ip_protocol ^= 1;
      break;
    case 4:
      if (match.vlan_id) *match.vlan_id ^= 1;
      break;
    case 5:
      if (match.ether_type) match.ether_type = 0x0800;
      break;
    case 6:
      if (match.ether_type) match.ether_type = 0x86dd;
      break;
    case 7:
      if (match.icmp_type) *match.icmp_type ^= 1;
      break;
    case 8:
      if (match.ingress_port) *match.ingress_port ^= 1;
      break;
    case 9:
      if (match.tcp_flags) match.tcp_flags->set ^= match.tcp_flags->mask;
      break;
    case 10:
      if (match.dscp) match.dscp = static_cast<std::uint8_t>((*match.dscp + 1) % 64);
      break;
    default:
      break;
  }
}

std::vector<ClassifierRule> rules_for(const ExaminedFrame& frame, ByteSource source,
                                      std::size_t count) {
  std::vector<ClassifierRule> rules;
  while (rules.size() < count) {
    const std::uint32_t fields = source.number<std::uint16_t>();
    ClassifierRule rule;
    rule.priority = static_cast<std::int8_t>(source.byte());
    rule.match = match_of(frame, fields, source.byte());
    change(rule.match, source.byte());
    if (!check_match(rule.match).ok()) rule.match = {};
    rules.push_back(rule);
  }
  return rules;
}

bool looks_deeper(const Match& match) {
  return match.inner || match.icmp_type || match.icmp_code || match.tcp_flags || match.src_mac ||
         match.dst_mac;
}

std::uint32_t search(const std::vector<ClassifierRule>& rules, const ExaminedFrame& frame) {
  std::uint32_t best = kNoRule;
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    const bool fits_here = !find_mismatch(rules[i].match, frame).has_value();
    if (!looks_deeper(rules[i].match)) {
      require(fits_here == fits(rules[i].match, frame.headers, frame.ingress_port),
              "what is said of a mismatch is what the fields say");
    }
    if (!fits_here) continue;
    if (best == kNoRule || rules[i].priority > rules[best].priority) best = i;
  }
  return best;
}

}  // namespace

std::vector<std::string> seeds() {
  std::string rules = {4, 1, 0};
  for (const int fields : {0x0002, 0x0013, 0x6400, 0x1801}) {
    rules += {static_cast<char>(fields), static_cast<char>(fields >> 8), 1, 24, 0};
  }
  return seeds_of_frames(rules);
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  if (size < kHeadBytes) return 0;
  const std::size_t count = data[0] % (kMostRules + 1);
  const std::size_t head = kHeadBytes + count * kRuleBytes;
  if (size < head) return 0;
  const std::span<const std::uint8_t> bytes(data + head, size - head);
  const auto frame_bytes = static_cast<std::uint32_t>(bytes.size()) + data[2];

  ExaminedFrame frame(bytes, data[1] % 2);
  parse_frame(bytes, frame_bytes, frame.headers);
  frame.in_tunnel = parse_inner(bytes, frame_bytes, frame.headers, frame.inner, &frame.inner_begin);
  if (!frame.in_tunnel) frame.inner_begin = 0;
  const ByteSource source({data + kHeadBytes, count * kRuleBytes});
  const std::vector<ClassifierRule> rules = rules_for(frame, source, count);
  const auto classifier = Classifier::build(rules);
  require(classifier.ok(), "rules that are right one by one make a classifier: " +
                               std::string(classifier.status().message()));

  const std::uint32_t expected = search(rules, frame);
  require(classifier->classify(frame.headers, frame.ingress_port, bytes, frame_bytes) == expected,
          "the classifier finds the rule that a search of all finds");
  if (classifier->looks_deeper()) return 0;
  std::array<Headers, 3> burst = {frame.headers, Headers{}, frame.headers};
  std::array<std::uint32_t, 3> decided{};
  classifier->classify_burst(burst, frame.ingress_port, decided);
  require(decided[0] == expected && decided[2] == expected, "a burst is classified as its packets");
  return 0;
}
