// SPDX-License-Identifier: BSD-3-Clause
#include "dpdk/telemetry/telemetry_socket.h"

#include <rte_telemetry.h>

#include <map>

#include "base/log.h"
#include "base/mutex.h"

namespace drip::dpdk {
namespace {

// DPDK's callbacks have no argument of their own but the command.
class Handlers {
 public:
  void set(const std::string& path, TelemetryHandler handler) {
    MutexLock lock(mutex_);
    by_path_[path] = std::move(handler);
  }
  void clear() {
    MutexLock lock(mutex_);
    by_path_.clear();
  }
  absl::StatusOr<TelemetryAnswer> call(const std::string& path, const std::string& parameter) {
    MutexLock lock(mutex_);
    const auto found = by_path_.find(path);
    if (found == by_path_.end()) return absl::UnavailableError("the node is stopping");
    return found->second(parameter);
  }

 private:
  Mutex mutex_;
  std::map<std::string, TelemetryHandler> by_path_ ABSL_GUARDED_BY(mutex_);
};

Handlers& handlers() {
  static Handlers* const all = new Handlers;  // DPDK's thread may outlive main().
  return *all;
}

void write(const TelemetryNames& names, rte_tel_data* data) {
  rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
  for (const std::string& name : names) rte_tel_data_add_array_string(data, name.c_str());
}

void write(const TelemetryCounts& counts, rte_tel_data* data) {
  rte_tel_data_start_dict(data);
  for (const auto& [name, value] : counts) {
    if (const auto* const number = std::get_if<std::uint64_t>(&value)) {
      rte_tel_data_add_dict_u64(data, name.c_str(), *number);
    } else {
      rte_tel_data_add_dict_string(data, name.c_str(), std::get<std::string>(value).c_str());
    }
  }
}

int answer(const char* command, const char* parameter, rte_tel_data* data) {
  const auto result = handlers().call(command, parameter == nullptr ? "" : parameter);
  if (!result.ok()) {
    log_warning("telemetry: {}: {}", command, std::string(result.status().message()));
    return -1;
  }
  std::visit([&](const auto& value) { write(value, data); }, *result);
  return 0;
}

}  // namespace

TelemetryCommands::~TelemetryCommands() { handlers().clear(); }

absl::Status TelemetryCommands::add(const std::string& path, const char* help,
                                    TelemetryHandler handler) {
  handlers().set(path, std::move(handler));
  if (rte_telemetry_register_cmd(path.c_str(), answer, help) != 0) {
    return absl::FailedPreconditionError("DPDK does not take the telemetry command " + path);
  }
  return absl::OkStatus();
}

}  // namespace drip::dpdk
