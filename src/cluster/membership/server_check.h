// SPDX-License-Identifier: BSD-3-Clause
// What a node says of the Redis that it has joined: too old, or without a right that Drip needs.
#pragma once

#include <string>
#include <vector>

#include "cluster/redis/redis_link.h"

namespace drip::cluster {

/// Whether a version as HELLO tells it ("7.0.15") is older than what the scripts need; false if it
/// cannot be read.
[[nodiscard]] bool is_too_old(const std::string& version);

/// Sentences for the operator about the server to which `link` is connected; none if all is well.
/// Tries each command that the scripts use, on keys of its own below `prefix`.
[[nodiscard]] std::vector<std::string> check_server(RedisLink& link, const std::string& prefix);

}  // namespace drip::cluster
