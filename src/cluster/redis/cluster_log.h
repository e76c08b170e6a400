// SPDX-License-Identifier: BSD-3-Clause
// How the cluster's threads tell the operator something.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace drip::cluster {

enum class LogLevel : std::uint8_t { kInfo, kWarning, kError };
/// A line of text. Any thread calls it.
using Log = std::function<void(LogLevel, const std::string&)>;

}  // namespace drip::cluster
