// SPDX-License-Identifier: BSD-3-Clause
// The limits of a client by the names that the flag, the file and errors have.
#pragma once

#include <array>
#include <cstdint>

#include "daemon/options.h"

namespace drip::daemon {

struct ClientLimitName {
  const char* name;
  std::uint32_t ClientOptions::*option;
  std::uint32_t least;
  std::uint32_t most;
};
inline constexpr std::array<ClientLimitName, 6> kClientLimits = {
    {{"connections", &ClientOptions::connections, 0, 1U << 30},
     {"calls_per_second", &ClientOptions::calls_per_second, 0, 1'000'000},
     {"open_calls", &ClientOptions::open_calls, 0, 1U << 30},
     {"waiting_requests", &ClientOptions::waiting_requests, 0, 1U << 30},
     {"watched_buckets", &ClientOptions::watched_buckets, 0, 1U << 30},
     {"message_bytes", &ClientOptions::message_bytes, 1024, 1U << 30}}};

}  // namespace drip::daemon
