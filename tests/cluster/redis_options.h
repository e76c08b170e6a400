// SPDX-License-Identifier: BSD-3-Clause
// How a test connects to its Redis.
#pragma once

#include <string>

#include "cluster/redis/redis_connection.h"
#include "cluster/redis/redis_url.h"

namespace drip::cluster {

/// REQUIRES: `url` can be parsed.
inline RedisOptions options_of(const std::string& url) {
  RedisOptions options;
  options.url = *parse_redis_url(url);
  return options;
}

}  // namespace drip::cluster
