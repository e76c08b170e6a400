// SPDX-License-Identifier: BSD-3-Clause
// The engine of a node without ports.
#include "daemon/engine_options.h"
#include "daemon/running_engine.h"
#include "datapath/poll_engine/poll_engine.h"
#include "datapath/poll_engine/portless.h"

namespace drip::daemon {
namespace {

class PortlessEngine final : public RunningEngine {
 public:
  PortlessEngine(const Options& options, const Placement& placement)
      : engine_(engine_options(options, placement), datapath::portless_poll_threads(), ports_,
                clock_) {}

  Engine& engine() override { return engine_; }
  [[nodiscard]] std::vector<std::string> warnings() const override { return engine_.warnings(); }
  [[nodiscard]] std::string dpdk_version() const override { return ""; }

 private:
  datapath::NoPorts ports_;
  datapath::TscClock clock_;
  datapath::PollEngine engine_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunningEngine>> start_portless(const Options& options,
                                                              const Placement& placement) {
  return std::make_unique<PortlessEngine>(options, placement);
}

}  // namespace drip::daemon
