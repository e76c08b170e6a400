// SPDX-License-Identifier: BSD-3-Clause
// Follows the packet's way with the same parsers, and each rule by itself.
#include "control/explain/explain_packet.h"

#include <algorithm>

#include "base/text.h"
#include "classifier/mismatch.h"
#include "control/model/expand_rule.h"
#include "packet/control_traffic.h"
#include "packet/flow_key.h"

namespace drip::control {
namespace {

using Fate = PacketExplanation::Fate;

void describe(const ExaminedFrame& frame, Engine& engine, PacketExplanation& result) {
  const std::vector<std::string> ports = engine.port_names();
  const FlowSource source{frame.ingress_port, frame.bytes};
  result.flow = to_text(make_flow_key(frame.headers, {}, source), ports);
  if (frame.in_tunnel) result.inner_flow = to_text(make_flow_key(frame.inner, {}, source), ports);
  if (frame.headers.ip_version != IpVersion::kNone) result.dscp = frame.headers.dscp;
  if (frame.headers.vlan_id != kNoVlan) result.vlan_id = frame.headers.vlan_id;
  if (frame.headers.inner_vlan_id != kNoVlan) result.inner_vlan_id = frame.headers.inner_vlan_id;
  result.is_fragment = frame.headers.fragment;
}

bool is_prefix(std::string_view field) { return field == "src_prefix" || field == "dst_prefix"; }

// Why the packet matches none of the rule's matches; empty: it matches one.
std::string mismatch_of(const RuleSpec& rule, const AddressLists& lists, Engine& engine,
                        const ExaminedFrame& frame) {
  const absl::StatusOr<std::vector<Match>> matches = expand_rule(rule, lists);
  if (!matches.ok()) return std::string(matches.status().message());
  std::optional<Mismatch> told;
  for (Match match : *matches) {
    if (!rule.ingress_port.empty()) match.ingress_port = engine.find_port(rule.ingress_port);
    std::optional<Mismatch> mismatch = find_mismatch(match, frame);
    if (!mismatch) return "";
    // One that is right but for another field tells more than the first of many addresses.
    if (!told || (is_prefix(told->field) && !is_prefix(mismatch->field))) told = mismatch;
  }
  if (!told) return "no packet matches it";
  if (matches->size() > 1 && is_prefix(told->field)) {
    return joined(told->field, ": the address is in none of those of the rule");
  }
  return joined(told->field, ": ", told->why);
}

// As Bucket::wire_bytes().
std::uint32_t wire_bytes_of(const BucketSettings& settings, std::size_t frame_bytes) {
  const auto counted =
      std::max<std::int64_t>(static_cast<std::int64_t>(frame_bytes), settings.min_frame_bytes);
  return static_cast<std::uint32_t>(std::max<std::int64_t>(counted + settings.overhead_bytes, 1));
}

void climb(const BucketRegistry& buckets, std::string parent, PacketExplanation& result) {
  while (!parent.empty()) {
    result.ancestors.push_back(parent);
    const BucketEntryRef bucket = buckets.find(parent);
    parent = bucket == nullptr ? "" : bucket->place().parent_id;
  }
}

void into_bucket(const BucketRegistry& buckets, Engine& engine, const std::string& id,
                 std::size_t frame_bytes, PacketExplanation& result) {
  result.fate = Fate::kBucket;
  result.bucket_id = id;
  const BucketEntryRef bucket = buckets.find(id);
  if (bucket == nullptr) return;
  climb(buckets, bucket->place().parent_id, result);
  result.wire_bytes = wire_bytes_of(bucket->settings(), frame_bytes);
  result.backlog = engine.backlog(bucket->ref());
  UnitsToAdmit unit;
  unit.bucket = bucket->ref();
  unit.wire_bytes = result.wire_bytes;
  unit.peek = true;
  engine.admit_many({&unit, 1});
  result.now = unit.admission;
}

void into_flow(const BucketRegistry& buckets, Engine& engine, const RuleSpec::PerFlow& rule,
               const ExaminedFrame& frame, PacketExplanation& result) {
  result.fate = Fate::kFlow;
  const bool inner = (rule.key.parts & FlowTemplateKey::kInner) != 0;
  const FlowKey key = make_flow_key(inner ? frame.inner : frame.headers, rule.key,
                                    {frame.ingress_port, frame.bytes});
  result.flow_key = to_text(key, engine.port_names());
  climb(buckets, rule.place.parent_id, result);
  result.wire_bytes = wire_bytes_of(rule.bucket, frame.bytes.size());
}

void apply(const RuleSpec& rule, const BucketRegistry& buckets, Engine& engine,
           const ExaminedFrame& frame, PacketExplanation& result) {
  result.rule_id = rule.id;
  result.set_dscp = rule.set_dscp;
  if (const RuleSpec::ToBucket* const to = rule.to_bucket()) {
    into_bucket(buckets, engine, to->bucket_id, frame.bytes.size(), result);
  } else if (const RuleSpec::PerFlow* const per_flow = rule.per_flow()) {
    into_flow(buckets, engine, *per_flow, frame, result);
  } else if (std::holds_alternative<RuleSpec::Drop>(rule.action)) {
    result.fate = Fate::kDrop;
  }
}

}  // namespace

PacketExplanation explain_packet(const RuleStore& rules, const BucketRegistry& buckets,
                                 Engine& engine, std::span<const std::uint8_t> bytes,
                                 std::uint16_t port) {
  PacketExplanation result;
  const ExaminedFrame frame(bytes, port);
  describe(frame, engine, result);
  const RuleSetSpec& set = rules.rules();
  if (set.protect_control_traffic &&
      is_control_traffic(frame.headers, frame.bytes, set.control_protocols)) {
    result.is_protected = true;
    return result;
  }
  std::vector<const RuleSpec*> in_order;
  for (const RuleSpec& rule : set.rules) in_order.push_back(&rule);
  std::ranges::stable_sort(in_order, std::greater{}, &RuleSpec::priority);
  for (const RuleSpec* const rule : in_order) {
    std::string mismatch = mismatch_of(*rule, set.lists, engine, frame);
    const bool matches = mismatch.empty();
    result.rules.push_back({rule->id, rule->priority, std::move(mismatch)});
    if (!matches) continue;
    apply(*rule, buckets, engine, frame, result);
    break;
  }
  if (result.rules.size() > PacketExplanation::kMostVerdicts) {
    result.rules_left_out = result.rules.size() - PacketExplanation::kMostVerdicts;
    result.rules.erase(result.rules.begin(),
                       result.rules.begin() + static_cast<std::ptrdiff_t>(result.rules_left_out));
  }
  if (result.rule_id.empty() && !set.default_bucket_id.empty()) {
    into_bucket(buckets, engine, set.default_bucket_id, bytes.size(), result);
  }
  return result;
}

}  // namespace drip::control
