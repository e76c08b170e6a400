// SPDX-License-Identifier: BSD-3-Clause
// The log of the cluster's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace drip::cluster {

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };
/// Writes one line. Thread safe.
using Log = std::function<void(LogLevel, const std::string&)>;

}  // namespace drip::cluster
