// SPDX-License-Identifier: BSD-3-Clause
// All rules of a node.
#pragma once

#include "cli/commands/commands.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// All pages, as one.
[[nodiscard]] v1::ListRulesResponse list_all_rules(Session& session);

}  // namespace drip::cli
