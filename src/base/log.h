// SPDX-License-Identifier: BSD-3-Clause
// How every room tells the operator something: a line with a level. The program decides where it
// goes.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "fmt/format.h"

namespace drip {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };

/// Takes one line, without its end. Any thread calls it, also several at one time. Must not throw.
using LogSink = void (*)(LogLevel level, std::string_view line);

/// Where lines go from now on. Before, they go to stderr as `LEVEL: LINE`. Any thread.
void set_log_sink(LogSink sink);

/// Writes each line of `text`; control characters become '?'. Any thread, but never a polling one
/// while it has packets: a sink may lock and write to a file.
void write_log(LogLevel level, std::string_view text);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace drip
