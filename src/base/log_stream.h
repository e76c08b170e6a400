// SPDX-License-Identifier: BSD-3-Clause
// A stdio stream into the log, for code that writes to a FILE*.
#pragma once

#include <cstdio>

#include "base/log.h"

namespace drip {

/// Every line that is written goes to the log, with the level that `level()` says at that moment,
/// in the thread that writes. Null if there is no memory. The caller closes it, or never.
[[nodiscard]] std::FILE* open_log_stream(LogLevel (*level)());

}  // namespace drip
