// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/streams/captured_bucket.h"

#include <cstddef>
#include <optional>
#include <string>

#include "base/errors.h"
#include "control/rpc/calls/packet_bucket.h"

namespace drip::control {
namespace {

// Begins a capture of the flow `text` of a rule; none if the rule has no such flow.
std::optional<BucketRef> begin_flow(Engine& engine, const FlowRule& rule, std::string_view text,
                                    CaptureRing& ring) {
  if (text == FlowRule::kOverflowName) {
    if (rule.overflow_bucket) engine.begin_capture(*rule.overflow_bucket, ring);
    return rule.overflow_bucket;
  }
  for (const FlowPlace& flow : engine.find_flows(rule.number)) {
    if (engine.flow_text(flow.key) != text) continue;
    if (engine.begin_flow_capture(rule.number, flow, ring)) return flow.bucket;
  }
  return std::nullopt;
}

// The same for `rule/flow`. Ids of rules may have slashes, as names of flows do.
std::optional<BucketRef> begin_flow(Engine& engine, const RuleStore& rules, std::string_view id,
                                    CaptureRing& ring) {
  for (std::size_t i = 0; i < rules.flow_rules().size(); ++i) {
    const std::optional<FlowRule>& rule = rules.flow_rules()[i];
    const std::string& rule_id = rules.rules().rules[i].id;
    if (!rule || !id.starts_with(rule_id) || id.substr(rule_id.size(), 1) != "/") continue;
    if (auto bucket = begin_flow(engine, *rule, id.substr(rule_id.size() + 1), ring)) return bucket;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<CapturedBucket> CapturedBucket::begin(Engine& engine, const BucketRegistry& buckets,
                                                     const Configuration& configuration,
                                                     std::string_view field, std::string_view id,
                                                     CaptureRing& ring) {
  absl::StatusOr<BucketEntryRef> named = get_packet_bucket(buckets, field, id);
  if (named.ok()) {
    // It is neither moved nor deleted before the engine knows that it is captured.
    const BucketEntry::Use use = (*named)->use();
    if (!use) return not_found(field, "bucket", id);
    const BucketRef ref = (*named)->ref();
    engine.begin_capture(ref, ring);
    return CapturedBucket(*std::move(named), ref);
  }
  const bool may_be_a_flow = id.find('/') != std::string_view::npos &&
                             named.status().code() != absl::StatusCode::kFailedPrecondition;
  if (!may_be_a_flow) return named.status();
  std::optional<BucketRef> bucket;
  // The rules stay as they are meanwhile.
  configuration.with_rules(
      [&](const RuleStore& rules) { bucket = begin_flow(engine, rules, id, ring); });
  if (!bucket) return not_found(field, "bucket or flow of a rule", id);
  return CapturedBucket(nullptr, *bucket);
}

}  // namespace drip::control
