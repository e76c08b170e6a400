// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/explain.h"

#include <cstdint>
#include <optional>
#include <span>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket.h"
#include "control/explain/explain_packet.h"

namespace drip::control {
namespace {

using Fate = PacketExplanation::Fate;

constexpr std::size_t kLeastBytes = 14;
constexpr std::size_t kMostBytes = 16384;

void write_fate(const PacketExplanation& packet, v1::ExplainResponse& response) {
  switch (packet.fate) {
    case Fate::kPass:
      response.set_passes(true);
      return;
    case Fate::kDrop:
      response.set_drops(true);
      return;
    case Fate::kBucket:
      response.set_bucket_id(packet.bucket_id);
      response.set_queue_size(packet.backlog);
      if (packet.now.reason != RejectReason::kAdmitted) {
        response.set_reject_reason(reject_reason(packet.now.reason));
      }
      response.set_estimated_wait_ns(packet.now.wait.ns);
      response.set_wait_is_estimate(packet.now.wait_is_estimate);
      break;
    case Fate::kFlow:
      response.set_flow_key(packet.flow_key);
      break;
  }
  for (const std::string& ancestor : packet.ancestors) response.add_ancestors(ancestor);
  response.set_wire_bytes(packet.wire_bytes);
}

void write(const PacketExplanation& packet, v1::ExplainResponse& response) {
  response.set_flow(packet.flow);
  response.set_inner_flow(packet.inner_flow);
  if (packet.dscp) response.set_dscp(*packet.dscp);
  if (packet.vlan_id) response.set_vlan_id(*packet.vlan_id);
  if (packet.inner_vlan_id) response.set_inner_vlan_id(*packet.inner_vlan_id);
  response.set_fragment(packet.is_fragment);
  response.set_is_protected(packet.is_protected);
  for (const RuleVerdict& verdict : packet.rules) {
    v1::RuleVerdict& message = *response.add_rules();
    message.set_rule_id(verdict.rule_id);
    message.set_priority(verdict.priority);
    message.set_mismatch(verdict.mismatch);
  }
  response.set_rules_left_out(packet.rules_left_out);
  response.set_rule_id(packet.rule_id);
  if (packet.set_dscp) response.set_set_dscp(*packet.set_dscp);
  write_fate(packet, response);
}

}  // namespace

absl::Status explain(const ServicesContext& context, const v1::ExplainRequest& request,
                     v1::ExplainResponse& response) {
  const std::string& frame = request.frame();
  if (frame.size() < kLeastBytes || frame.size() > kMostBytes) {
    return not_allowed("frame", joined(frame.size(), " bytes"),
                       joined(kLeastBytes, " to ", kMostBytes, " bytes of an Ethernet frame"));
  }
  std::uint16_t port = 0;
  if (!request.ingress_port().empty()) {
    const std::optional<std::uint16_t> found = context.engine.find_port(request.ingress_port());
    if (!found) return not_found("ingress_port", "port", request.ingress_port());
    port = *found;
  }
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(frame.data()), frame.size());
  context.configuration.with_rules([&](const RuleStore& rules) {
    write(explain_packet(rules, context.buckets, context.engine, bytes, port), response);
  });
  return absl::OkStatus();
}

}  // namespace drip::control
