// SPDX-License-Identifier: BSD-3-Clause
// What would become of a packet, and why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "control/config/bucket_registry.h"
#include "control/config/rule_store.h"
#include "engine/engine.h"

namespace drip::control {

/// One rule that was tried.
struct RuleVerdict {
  std::string rule_id;
  std::int32_t priority = 0;
  std::string mismatch;  ///< "dst_port: 443 is not 80"; empty: the packet matches.
};

struct PacketExplanation {
  enum class Fate : std::uint8_t { kPass, kDrop, kBucket, kFlow };
  /// Of the rules that were tried the last ones are kept.
  static constexpr std::size_t kMostVerdicts = 1000;

  std::string flow;        ///< As the text of its five-tuple.
  std::string inner_flow;  ///< Of the innermost packet of a tunnel; empty: none.
  std::optional<std::uint8_t> dscp;
  std::optional<std::uint16_t> vlan_id, inner_vlan_id;
  bool is_fragment = false;

  /// Protected control traffic: no rule was tried.
  bool is_protected = false;
  /// In the order in which they are tried, up to the one that applies.
  std::vector<RuleVerdict> rules;
  std::size_t rules_left_out = 0;
  std::string rule_id;  ///< The one that applies; empty: the default.
  Fate fate = Fate::kPass;
  std::optional<std::uint8_t> set_dscp;

  // kBucket and kFlow:
  std::string bucket_id;               ///< kBucket.
  std::string flow_key;                ///< kFlow: of the flow's bucket.
  std::vector<std::string> ancestors;  ///< From the parent to the root.
  std::uint32_t wire_bytes = 0;        ///< What it is charged.
  // kBucket:
  std::uint64_t backlog = 0;
  Admission now;  ///< If it came now.
};

/// `frame`: whole, from the destination address on, without FCS. `port`: by which it comes. Nothing
/// is sent, counted or charged. Tries rules one by one, 100 ns each and more for lists of
/// addresses; to be called with the configuration's lock held.
[[nodiscard]] PacketExplanation explain_packet(const RuleStore& rules,
                                               const BucketRegistry& buckets, Engine& engine,
                                               std::span<const std::uint8_t> frame,
                                               std::uint16_t port);

}  // namespace drip::control
