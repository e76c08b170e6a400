// SPDX-License-Identifier: BSD-3-Clause
// dripd's log: lines on stderr, each with time and level.
#pragma once

#include <string>

namespace drip::daemon {

/// From now until the process ends the log goes to stderr, from `level` on: debug, info, warn or
/// error. What libraries print on stdout and stderr by themselves becomes lines of the log. Call it
/// once, before other threads start.
void start_log(const std::string& level);

}  // namespace drip::daemon
