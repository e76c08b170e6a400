// SPDX-License-Identifier: BSD-3-Clause
// The node as JSON: identity, health, sums, ports, polling threads, memory, clock, cluster.
#pragma once

#include <nlohmann/json.hpp>

#include "control/rpc/calls/services_context.h"
#include "web/recorder.h"

namespace drip::web {

[[nodiscard]] nlohmann::ordered_json node_json(const control::ServicesContext& context,
                                               const Record& record);

}  // namespace drip::web
