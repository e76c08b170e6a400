// SPDX-License-Identifier: BSD-3-Clause
// Pins, names and prioritises polling threads.
#pragma once

#include <string>
#include <vector>

#include "datapath/poll_engine/lcore_plan.h"

namespace drip::datapath {

/// Applies `plan` to the calling thread. Returns a warning for each setting that the system
/// refused; the thread runs without it.
std::vector<std::string> set_up_thread(const LcorePlan& plan, const std::string& name);

}  // namespace drip::datapath
