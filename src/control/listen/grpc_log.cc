// SPDX-License-Identifier: BSD-3-Clause
// Log functions of gRPC and Protobuf.
#include "control/listen/grpc_log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>

#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/log_limit.h"

namespace drip::control {
namespace {

// Never destroyed: gRPC's threads may log until the process is gone.
LogLimit& grpc_limit() {
  static auto& limit = *new LogLimit("gRPC");
  return limit;
}
LogLimit& protobuf_limit() {
  static auto& limit = *new LogLimit("Protobuf");
  return limit;
}

void write_if_any(const std::optional<LogLimit::Line>& line) {
  if (line) write_log(line->level, line->text);
}

void write_limited(LogLimit& limit, LogLevel level, std::string_view text) {
  write_if_any(limit.admit(level, text, LogLimit::Clock::now()));
}

void take_grpc_line(gpr_log_func_args* line) {
  LogLevel level = LogLevel::kDebug;
  if (line->severity == GPR_LOG_SEVERITY_INFO) level = LogLevel::kInfo;
  if (line->severity == GPR_LOG_SEVERITY_ERROR) level = LogLevel::kError;
  write_limited(grpc_limit(), level, line->message);
}

void take_protobuf_line(google::protobuf::LogLevel protobuf_level, const char*, int,
                        const std::string& text) {
  LogLevel level = LogLevel::kError;
  if (protobuf_level == google::protobuf::LOGLEVEL_INFO) level = LogLevel::kInfo;
  if (protobuf_level == google::protobuf::LOGLEVEL_WARNING) level = LogLevel::kWarning;
  write_limited(protobuf_limit(), level, text);
}

}  // namespace

void log_grpc_lines() {
  gpr_set_log_function(take_grpc_line);
  google::protobuf::SetLogHandler(take_protobuf_line);
}

void log_suppressed_grpc_lines() {
  const auto now = LogLimit::Clock::now();
  write_if_any(grpc_limit().overdue(now));
  write_if_any(protobuf_limit().overdue(now));
}

}  // namespace drip::control
