// SPDX-License-Identifier: BSD-3-Clause
// The engine of a node without ports.
#include "daemon/engine_options.h"
#include "daemon/running_engine.h"
#include "datapath/packet_io.h"
#include "datapath/poll_engine/poll_engine.h"

namespace drip::daemon {
namespace {

class NoPortSet final : public datapath::Ports {
 public:
  [[nodiscard]] std::uint16_t count() const override { return 0; }
  [[nodiscard]] std::vector<std::string> names() const override { return {}; }
  [[nodiscard]] std::vector<PortStats> read() const override { return {}; }
  [[nodiscard]] std::uint64_t packets_for_buckets() const override { return 0; }
  [[nodiscard]] std::uint64_t packets() const override { return 0; }
  [[nodiscard]] std::uint64_t packets_free() const override { return 0; }
  [[nodiscard]] bool hugepages() const override { return false; }
  void thread_begins(std::uint32_t) override {}
  void thread_ends(std::uint32_t) override {}
};

class EmbeddedEngine final : public RunningEngine {
 public:
  EmbeddedEngine(const Options& options, const Placement& placement)
      : ios_(placement.lcores.size()),
        engine_(engine_options(options, placement), ios_, ports_, clock_) {}

  Engine& engine() override { return engine_; }
  [[nodiscard]] std::vector<std::string> warnings() const override { return engine_.warnings(); }
  [[nodiscard]] std::string dpdk_version() const override { return ""; }

 private:
  NoPortSet ports_;
  datapath::TscClock clock_;
  std::vector<datapath::NoPorts> ios_;
  datapath::PollEngine<datapath::NoPorts> engine_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunningEngine>> start_embedded(const Options& options,
                                                              const Placement& placement) {
  return std::make_unique<EmbeddedEngine>(options, placement);
}

}  // namespace drip::daemon
