// SPDX-License-Identifier: BSD-3-Clause
// Buckets as JSON. Members are a contract: there may be more of them, none gets another meaning.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "control/rpc/calls/services_context.h"
#include "web/recorder.h"

namespace drip::web {

/// A line of a table: what the bucket does now, beside what it may do.
[[nodiscard]] nlohmann::ordered_json row_json(const control::ServicesContext& context,
                                              const Record& record, std::uint32_t row);
/// A per-flow rule below `parent_id`, or at the top if that is empty.
[[nodiscard]] nlohmann::ordered_json flow_rules_json(const Record& record,
                                                     const std::string& parent_id);
/// All that is known of one bucket but its history. Null if it was deleted.
[[nodiscard]] nlohmann::ordered_json details_json(const control::ServicesContext& context,
                                                  const Record& record, std::uint32_t row);
/// Samples of the steps from `from` on, a list for each quantity. `id` is only repeated.
[[nodiscard]] nlohmann::ordered_json history_json(const Record& record, const std::string& id,
                                                  const control::History& history,
                                                  std::uint64_t from);

}  // namespace drip::web
