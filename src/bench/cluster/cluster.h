// SPDX-License-Identifier: BSD-3-Clause
// `drip-bench cluster`: buckets that several nodes share, by a real Redis and real dripds.
#pragma once

#include <string>
#include <vector>

namespace drip::bench {

/// The command line behind `drip-bench cluster`; the exit code.
int run_cluster(std::vector<std::string> arguments);

}  // namespace drip::bench
