// SPDX-License-Identifier: BSD-3-Clause
// spdlog behind the log, and streams in the place of stdout and stderr.
#include "daemon/log.h"

#include <cstdio>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "base/log_stream.h"
#include "spdlog/logger.h"
#include "spdlog/sinks/stdout_sinks.h"

namespace drip::daemon {
namespace {

// Never destroyed: threads of libraries may log until the process is gone.
spdlog::logger* the_logger = nullptr;

void write_line(LogLevel level, std::string_view line) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                   spdlog::level::warn, spdlog::level::err};
  the_logger->log(kLevels[static_cast<int>(level)],
                  spdlog::string_view_t(line.data(), line.size()));
}

LogLevel level_of_stdout() { return LogLevel::kInfo; }
LogLevel level_of_stderr() { return LogLevel::kWarning; }

// glibc lets a program assign its standard streams (The GNU C Library, "Standard Streams"): here
// for code that knows no other way to report, such as getopt() and the usage text of EAL.
void replace(std::FILE*& standard, LogLevel (*level)()) {
  std::FILE* const stream = open_log_stream(level);
  if (stream == nullptr) return;
  std::fflush(standard);
  standard = stream;
}

}  // namespace

void start_log(const std::string& level) {
  // The sink keeps the stream that stderr is now.
  the_logger = new spdlog::logger("dripd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  the_logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %v");
  the_logger->set_level(spdlog::level::from_str(level));
  // The default handler writes to stderr, which would come back here.
  the_logger->set_error_handler([](const std::string&) {});
  set_log_sink(write_line);
  replace(stdout, level_of_stdout);
  replace(stderr, level_of_stderr);
}

}  // namespace drip::daemon
