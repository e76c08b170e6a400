// SPDX-License-Identifier: BSD-3-Clause
// Rules as they were asked for: names where the workers will see numbers.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "classifier/match.h"
#include "drip/bucket_settings.h"
#include "drip/time.h"
#include "packet/flow_key.h"

namespace drip::control {

inline constexpr std::uint32_t kMaxFlows = 1U << 20;
inline constexpr std::uint32_t kMinIdleTimeoutMs = 100;
inline constexpr std::uint32_t kMaxIdleTimeoutMs = 86'400'000;
inline constexpr std::uint32_t kDefaultIdleTimeoutMs = 30'000;

/// Every field is valid by itself; whether the names exist is found out when rules are compiled.
struct RuleSpec {
  struct ToBucket {
    std::string bucket_id;
  };
  struct PerFlow {
    FlowTemplateKey key;
    BucketSettings bucket;
    std::uint32_t max_flows = 0;
    Duration idle_timeout;

    friend bool operator==(const PerFlow&, const PerFlow&) = default;
  };
  struct Pass {};
  struct Drop {};

  std::string id;
  /// Where it stood in the request, for messages, with a dot at its end: "rule_set.rules[2].".
  std::string path;
  std::int32_t priority = 0;
  Match match;  ///< Without ingress_port, which is named below.
  std::string ingress_port;
  std::variant<Pass, Drop, ToBucket, PerFlow> action;

  [[nodiscard]] const PerFlow* per_flow() const { return std::get_if<PerFlow>(&action); }
  [[nodiscard]] const ToBucket* to_bucket() const { return std::get_if<ToBucket>(&action); }
};

struct RuleSetSpec {
  std::vector<RuleSpec> rules;
  /// Where it stood in the request, as in RuleSpec: "rule_set.".
  std::string path;
  std::string default_bucket_id;  ///< Empty: what no rule takes passes.
  bool protect_control_traffic = true;
};

}  // namespace drip::control
