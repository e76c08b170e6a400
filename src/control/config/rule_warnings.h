// SPDX-License-Identifier: BSD-3-Clause
// What an operator should know of buckets and rules, as sentences.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/rule_store.h"
#include "control/model/rule_spec.h"
#include "drip/bucket_settings.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::control {

/// The longest frame that a port takes by its MTU, without VLAN tags; 0 without ports.
[[nodiscard]] std::uint32_t longest_frame_of(const Engine& engine);

/// A warning if the longest frame does not fit into an empty bucket. `longest_frame`: 0 for none.
[[nodiscard]] std::vector<std::string> warnings_of_bucket(const BucketSettings& settings,
                                                          std::uint32_t longest_frame);

/// For each rule by its index: that an earlier one hides it wholly, so that no packet comes to it;
/// that fragments of what it matches by ports pass; warnings_of_bucket() of its flows. Only the
/// first kMostCompared rules in the order in which they are tried are compared with one another.
inline constexpr std::size_t kMostCompared = 4096;
[[nodiscard]] std::vector<std::vector<std::string>> warnings_of_rules(const RuleSetSpec& rules,
                                                                      std::uint32_t longest_frame);
/// Of the rule of this index, compared with all others.
[[nodiscard]] std::vector<std::string> warnings_of_rule(const RuleSetSpec& rules, std::size_t index,
                                                        std::uint32_t longest_frame);

/// A warning for each per-flow rule of which packets were refused within the last minute because
/// max_flows was reached.
[[nodiscard]] std::vector<std::string> warnings_of_refused_flows(
    const std::vector<RuleState>& rules, TimePoint now);

}  // namespace drip::control
