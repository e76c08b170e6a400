// SPDX-License-Identifier: BSD-3-Clause
// Feeds any bytes to the parser and all that reads its result; whatever they are, the invariants of
// Headers hold. The first two bytes say how much of the frame is not contiguous.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "classifier/classifier.h"
#include "packet/control_traffic.h"
#include "packet/flow_key.h"
#include "packet/header_invariants.h"
#include "packet/tunnels.h"

namespace {

const drip::Classifier& classifier() {
  static const drip::Classifier kClassifier = [] {
    std::vector<drip::ClassifierRule> rules(6);
    rules[3].match.inner = true;
    rules[3].match.src_prefix = *drip::IpPrefix::parse("198.51.100.0/24");
    rules[4].match.tcp_flags = drip::TcpFlags{2, 18};
    rules[5].match.icmp_type = 8;
    rules[0].match.dst_port = {80, 443};
    rules[1].match.src_prefix = *drip::IpPrefix::parse("10.0.0.0/8");
    rules[2].match.dst_prefix = *drip::IpPrefix::parse("2001:db8::/32");
    return *drip::Classifier::build(rules);
  }();
  return kClassifier;
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::uint32_t elsewhere = data[0] % 4 == 0 ? data[1] : 0;
  const std::span<const std::uint8_t> bytes(data + 2, size - 2);
  const auto frame_bytes = static_cast<std::uint32_t>(bytes.size()) + elsewhere;
  const drip::Headers headers = drip::parse_frame(bytes, frame_bytes);
  static drip::Headers reused;  // Full of what the input before this one was.
  drip::parse_frame(bytes, frame_bytes, reused);
  require(reused == headers, "what was in the headers before does not count");
  const char* const broken = drip::broken_invariant(headers, bytes);
  require(broken == nullptr, broken);

  const bool is_control = drip::is_control_traffic(headers, bytes);
  require(!is_control || bytes.size() >= 6, "control traffic has at least an address");
  require(is_control == drip::is_listed_control_traffic(headers, bytes),
          "the filter says what the list says");
  drip::Headers inner;
  std::uint32_t begin = 0;
  if (drip::parse_inner(bytes, frame_bytes, headers, inner, &begin)) {
    require(begin < bytes.size(), "a packet in a tunnel begins inside of the frame");
    const char* const broken_inner = drip::broken_invariant(inner, bytes.subspan(begin));
    require(broken_inner == nullptr, broken_inner);
  } else {
    require(inner == headers, "what is no tunnel is its own innermost packet");
  }
  const std::uint32_t rule = classifier().classify(headers, 0, bytes, frame_bytes);
  require(rule != 0 || headers.ports_valid, "a rule with ports fits packets with ports");
  for (const auto kind : {drip::FlowKeyKind::kFiveTuple, drip::FlowKeyKind::kSource,
                          drip::FlowKeyKind::kDestination}) {
    const drip::FlowKey key = drip::make_flow_key(headers, {kind, data[0], data[1]});
    require(!drip::to_text(key).empty(), "a flow has a name");
  }
  return 0;
}
