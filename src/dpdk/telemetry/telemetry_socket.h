// SPDX-License-Identifier: BSD-3-Clause
// Commands of DPDK's telemetry socket.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace drip::dpdk {

/// As many strings as an answer of DPDK's 16 KiB holds, for names of up to 128 bytes.
inline constexpr std::size_t kTelemetryNames = 100;

using TelemetryNames = std::vector<std::string>;
using TelemetryCounts =
    std::vector<std::pair<std::string, std::variant<std::uint64_t, std::string>>>;
using TelemetryAnswer = std::variant<TelemetryNames, TelemetryCounts>;

/// Answers a command; `parameter` is what follows its comma. Any thread, one call at a time. An
/// error's text goes to the log; the client gets a null.
using TelemetryHandler =
    std::function<absl::StatusOr<TelemetryAnswer>(const std::string& parameter)>;

/// Commands are of the process, and DPDK cannot take one back, so they answer with an error once
/// this is destroyed. One object at a time.
class TelemetryCommands {
 public:
  TelemetryCommands() = default;
  ~TelemetryCommands();
  TelemetryCommands(const TelemetryCommands&) = delete;
  TelemetryCommands& operator=(const TelemetryCommands&) = delete;

  /// `path`: "/drip/ports". REQUIRES: EAL has started. FAILED_PRECONDITION if DPDK does not take
  /// it.
  [[nodiscard]] absl::Status add(const std::string& path, const char* help,
                                 TelemetryHandler handler);
};

}  // namespace drip::dpdk
