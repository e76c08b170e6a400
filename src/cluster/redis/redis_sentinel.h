// SPDX-License-Identifier: BSD-3-Clause
// Asks Sentinel which server is the master now.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "cluster/redis/byte_stream.h"
#include "cluster/redis/redis_connection.h"

namespace drip::cluster {

/// A connection, greeted and found to be a master, to the server that the first Sentinel to know
/// one names. A Sentinel that answers moves to the front of `options.url.endpoints`. Each Sentinel
/// gets its part of the time, so that one that is dead does not use it up. UNAVAILABLE with the
/// last reason if none knows a master that answers.
[[nodiscard]] absl::StatusOr<std::unique_ptr<RedisConnection>> connect_by_sentinel(
    RedisOptions& options, Deadline deadline);

}  // namespace drip::cluster
