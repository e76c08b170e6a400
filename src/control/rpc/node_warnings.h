// SPDX-License-Identifier: BSD-3-Clause
// What GetNode warns of: the machine as it was at the start, and what has happened since.
#pragma once

#include <string>
#include <vector>

#include "control/rpc/calls/services_context.h"

namespace drip::control {

/// One sentence each; empty if all is well. Any thread.
[[nodiscard]] std::vector<std::string> node_warnings(const ServicesContext& context);

}  // namespace drip::control
