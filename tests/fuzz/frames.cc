// SPDX-License-Identifier: BSD-3-Clause
// Frames of any content through the parser and all that reads its result: tunnels, control traffic,
// TCP, flow keys. Two bytes say how much of the frame is not contiguous, six what the keys are.
#include <array>
#include <optional>

#include "fuzz/support/byte_source.h"
#include "fuzz/support/frame_seeds.h"
#include "fuzz/support/fuzz_target.h"
#include "packet/control_traffic.h"
#include "packet/flow_key.h"
#include "packet/header_invariants.h"
#include "packet/packet_kind.h"
#include "packet/plain_frame.h"
#include "packet/queue_key.h"
#include "packet/tcp_fields.h"
#include "packet/tunnels.h"

namespace drip::fuzz {
namespace {

FlowTemplateKey template_of(ByteSource& source) {
  FlowTemplateKey result;
  result.kind = static_cast<FlowKeyKind>(source.below(6));
  const std::uint8_t lengths = source.byte();
  result.ipv4_prefix_length = lengths;
  result.ipv6_prefix_length = static_cast<std::uint8_t>(lengths ^ 0xa5);
  result.parts = source.byte() % 16;
  return result;
}

// What the template does not look at does not change the key, and what it does is in it.
void check_key(const Headers& headers, const FlowTemplateKey& kind, const FlowSource& source) {
  static const FlowHash kHash(1);
  const FlowKey key = make_flow_key(headers, kind, source);
  require(key == make_flow_key(headers, kind, source), "a flow has one key");
  require(is_made_by(key, kind), "a key is known as one of its template");
  require(to_text(key).empty() == (kind.kind == FlowKeyKind::kLink && (kind.parts & 7) == 0),
          "a flow has a name, unless all packets are one flow");
  Headers other = headers;
  other.dscp = static_cast<std::uint8_t>(other.dscp ^ 1);
  other.l3_offset ^= 1;
  other.l4_offset ^= 1;
  if ((kind.parts & FlowTemplateKey::kVlan) == 0) other.vlan_id ^= 5;
  if ((kind.parts & FlowTemplateKey::kInnerVlan) == 0) other.inner_vlan_id ^= 5;
  if (kind.kind != FlowKeyKind::kFiveTuple) {
    other.src_port ^= 1;
    other.dst_port ^= 1;
    other.ip_protocol ^= 1;
    if (kind.kind != FlowKeyKind::kSource) other.src_address[0] ^= 1;
    if (kind.kind != FlowKeyKind::kDestination) other.dst_address[0] ^= 1;
  }
  const FlowKey same = make_flow_key(other, kind, source);
  require(same == key && kHash(same) == kHash(key), "packets of one flow have one key");
  if (kind.kind != FlowKeyKind::kFiveTuple) return;
  other.src_address[3] ^= 1;
  require(!(make_flow_key(other, kind, source) == key), "another address is another flow");
}

void check_keys(const Headers& headers, ByteSource& control, const FlowSource& source) {
  const FlowTemplateKey a = template_of(control);
  const FlowTemplateKey b = template_of(control);
  check_key(headers, a, source);
  check_key(headers, b, source);
  // A key of inner headers has nothing to do with one of outer ones.
  const CommonFlowKey common = common_of({a}, b);
  if (common.nothing) return;
  require(common_part(make_flow_key(headers, a, source), common) ==
              common_part(make_flow_key(headers, b, source), common),
          "what two keys of a packet have in common is the same");
}

void check_parsed(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const char* const broken = broken_invariant(headers, bytes);
  require(broken == nullptr, broken == nullptr ? "" : broken);
  (void)packet_kind(headers);
  if (const std::optional<TcpFields> tcp = read_tcp(bytes, headers)) {
    require(headers.ip_protocol == 6 && headers.ports_valid, "TCP has ports");
    require(headers.l4_offset + std::size_t{20} <= bytes.size(), "a TCP header was read");
  }
}

void check_control_traffic(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const bool is_control = is_control_traffic(headers, bytes);
  require(!is_control || bytes.size() >= 6, "control traffic has at least an address");
  require(is_control == is_listed_control_traffic(headers, bytes),
          "the filter says what the list says");
}

}  // namespace

std::vector<std::string> seeds() {
  std::vector<std::string> all = seeds_of_frames(std::string(8, '\1'));
  for (std::string& more : seeds_of_frames({4, 9, 0, 24, 3, 1, 24, 9})) all.push_back(more);
  return all;
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  constexpr std::size_t kControl = 8;
  if (size < kControl) return 0;
  ByteSource control({data, kControl});
  const std::span<const std::uint8_t> bytes(data + kControl, size - kControl);
  const bool is_cut = control.byte() % 4 == 0;
  const std::uint32_t left_out = control.byte();
  const std::uint32_t elsewhere = is_cut ? left_out : 0;
  const auto frame_bytes = static_cast<std::uint32_t>(bytes.size()) + elsewhere;

  const Headers headers = parse_frame(bytes, frame_bytes);
  static Headers reused;  // Full of what the input before this one was.
  parse_frame(bytes, frame_bytes, reused);
  require(reused == headers, "what was in the headers before does not count");
  Headers any;
  parse_any_frame(bytes, frame_bytes, any);
  require(any == headers, "plain frames are read as the parser of all reads them");
  check_parsed(headers, bytes);
  check_control_traffic(headers, bytes);
  require(make_queue_key(headers) == make_queue_key(reused), "a flow has one key in a queue");

  Headers inner;
  std::uint32_t begin = 0;
  if (parse_inner(bytes, frame_bytes, headers, inner, &begin)) {
    require(begin < bytes.size(), "a packet in a tunnel begins inside of the frame");
    check_parsed(inner, bytes.subspan(begin));
    require(inner.vlan_id == headers.vlan_id, "VLAN ids are those of the frame");
  } else {
    require(inner == headers, "what is no tunnel is its own innermost packet");
  }
  check_keys(headers, control, {.ingress_port = control.byte(), .bytes = bytes});
  return 0;
}
