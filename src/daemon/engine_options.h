// SPDX-License-Identifier: BSD-3-Clause
// Converts the node's options to those of the engine.
#pragma once

#include "daemon/options.h"
#include "daemon/placement.h"
#include "datapath/poll_engine/poll_engine.h"

namespace drip::daemon {

inline datapath::EngineOptions engine_options(const Options& options, const Placement& placement) {
  return {placement.lcores, options.memory.max_buckets, options.memory.ring_memory_bytes,
          options.memory.overcommit};
}

}  // namespace drip::daemon
