// SPDX-License-Identifier: BSD-3-Clause
// A node's own commands on DPDK's telemetry socket: /drip/...
#pragma once

#include "absl/status/status.h"
#include "control/rpc/calls/services_context.h"
#include "dpdk/telemetry/telemetry_socket.h"

namespace drip::telemetry {

/// As DPDK's own commands do (/ethdev/list, /ethdev/stats,0), a command without parameter lists,
/// and with one it shows that thing as a flat dictionary of counters.
class NodeTelemetry {
 public:
  /// REQUIRES: EAL has started with telemetry. `context` outlives the object.
  [[nodiscard]] absl::Status start(const control::ServicesContext& context);

 private:
  dpdk::TelemetryCommands commands_;
};

}  // namespace drip::telemetry
