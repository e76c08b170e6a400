// SPDX-License-Identifier: BSD-3-Clause
// The rows of buckets that per-flow rules made.
#pragma once

#include <string_view>
#include <vector>

#include "control/config/rule_store.h"
#include "control/recorder/bucket_table.h"
#include "engine/engine.h"

namespace drip::control {

/// The rows of all flows there are, and of the buckets for flows beyond a rule's max_flows, in
/// order of id. Of `old`, rows from an earlier call, those whose flow is still there are kept with
/// all they know, and the others are forgotten. REQUIRES: `rules` do not change meanwhile.
[[nodiscard]] std::vector<BucketRow> flow_rows(const Engine& engine, const RuleStore& rules,
                                               std::vector<BucketRow> old);

}  // namespace drip::control
