// SPDX-License-Identifier: BSD-3-Clause
// Connects a TCP or unix socket within a deadline.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cluster/redis/byte_stream.h"
#include "cluster/redis/redis_url.h"

namespace drip::cluster {

/// Tries each address of the name in turn. UNAVAILABLE naming the peer if none takes it,
/// DEADLINE_EXCEEDED. A name server that does not answer holds nobody up beyond the deadline.
[[nodiscard]] absl::StatusOr<std::unique_ptr<ByteStream>> connect_tcp(const RedisEndpoint& peer,
                                                                      Deadline deadline);
[[nodiscard]] absl::StatusOr<std::unique_ptr<ByteStream>> connect_unix(const std::string& path,
                                                                       Deadline deadline);

}  // namespace drip::cluster
