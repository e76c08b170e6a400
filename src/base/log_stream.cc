// SPDX-License-Identifier: BSD-3-Clause
// fopencookie(3) with line buffering: stdio locks the stream for each call, so that a line arrives
// whole and in the thread that wrote it.
#include "base/log_stream.h"

#include <sys/types.h>

#include <string_view>

namespace drip {
namespace {

struct Cookie {
  LogLevel (*level)();
};

ssize_t write_lines(void* cookie, const char* text, std::size_t size) {
  write_log(static_cast<const Cookie*>(cookie)->level(), std::string_view(text, size));
  return static_cast<ssize_t>(size);
}

int close_stream(void* cookie) {
  delete static_cast<Cookie*>(cookie);
  return 0;
}

}  // namespace

std::FILE* open_log_stream(LogLevel (*level)()) {
  auto* const cookie = new Cookie{level};
  std::FILE* const stream = fopencookie(cookie, "w", {nullptr, write_lines, nullptr, close_stream});
  if (stream == nullptr) {
    delete cookie;
    return nullptr;
  }
  std::setvbuf(stream, nullptr, _IOLBF, BUFSIZ);
  return stream;
}

}  // namespace drip
