// SPDX-License-Identifier: BSD-3-Clause
// Cuts text into lines and hands them to the sink.
#include "base/log.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <string>

namespace drip {
namespace {

void write_to_stderr(LogLevel level, std::string_view line) {
  constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
  std::fprintf(stderr, "%s: %.*s\n", kNames[static_cast<int>(level)], static_cast<int>(line.size()),
               line.data());
}

std::atomic<LogSink> the_sink{write_to_stderr};

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

void set_log_sink(LogSink sink) { the_sink = sink; }

void write_log(LogLevel level, std::string_view text) {
  const LogSink sink = the_sink;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.empty()) continue;
    if (std::none_of(line.begin(), line.end(), is_control)) {
      sink(level, line);
      continue;
    }
    std::string clean(line);
    std::replace_if(clean.begin(), clean.end(), is_control, '?');
    sink(level, clean);
  }
}

}  // namespace drip
