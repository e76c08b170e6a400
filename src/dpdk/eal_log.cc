// SPDX-License-Identifier: BSD-3-Clause
// DPDK writes to a stream of ours; libbpf and libxdp call a function.
#include "dpdk/eal_log.h"

#include <bpf/libbpf.h>
#include <rte_log.h>
#include <xdp/libxdp.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include "base/log.h"
#include "base/log_stream.h"

namespace drip::dpdk {
namespace {

LogLevel level_of_rte_message() {
  const auto level = static_cast<unsigned>(rte_log_cur_msg_loglevel());
  if (level <= RTE_LOG_ERR) return LogLevel::kError;
  if (level == RTE_LOG_WARNING) return LogLevel::kWarning;
  return level <= RTE_LOG_INFO ? LogLevel::kInfo : LogLevel::kDebug;
}

// Both libraries have three levels with the same values.
LogLevel level_of_bpf_message(int level) {
  static_assert(static_cast<int>(LIBBPF_WARN) == LIBXDP_WARN &&
                static_cast<int>(LIBBPF_INFO) == LIBXDP_INFO);
  if (level == LIBBPF_WARN) return LogLevel::kWarning;
  return level == LIBBPF_INFO ? LogLevel::kInfo : LogLevel::kDebug;
}

template <class Level>
int write_bpf_message(Level level, const char* format, va_list arguments) {
  char* text = nullptr;
  const int size = vasprintf(&text, format, arguments);
  if (size < 0) return size;
  write_log(level_of_bpf_message(static_cast<int>(level)), text);
  std::free(text);
  return size;
}

}  // namespace

void log_dpdk_lines() {
  static std::FILE* const stream = open_log_stream(level_of_rte_message);
  // Without one, DPDK goes on writing to stderr.
  rte_openlog_stream(stream);
  libbpf_set_print(write_bpf_message<libbpf_print_level>);
  libxdp_set_print(write_bpf_message<libxdp_print_level>);
}

}  // namespace drip::dpdk
