// SPDX-License-Identifier: BSD-3-Clause
// What samples of its packets tell of a bucket, as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "control/traffic/traffic_monitor.h"

namespace drip::web {

/// Spans in nanoseconds are null where nothing was measured in the last minute.
[[nodiscard]] nlohmann::ordered_json traffic_json(const control::TrafficReading& reading);

}  // namespace drip::web
