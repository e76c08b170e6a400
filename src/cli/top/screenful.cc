// SPDX-License-Identifier: BSD-3-Clause
#include "cli/top/screenful.h"

namespace drip::cli {

std::vector<PortNow> PortMeter::update(const v1::ListPortsResponse& ports,
                                       std::int64_t monotonic_ns) {
  const double seconds = 1e-9 * static_cast<double>(monotonic_ns - before_ns_);
  std::vector<PortNow> result;
  std::map<std::string, v1::Port> seen;
  for (const v1::Port& port : ports.ports()) {
    PortNow& now = result.emplace_back();
    now.port = port;
    if (const auto found = before_.find(port.name()); found != before_.end() && seconds > 0) {
      const v1::Port& then = found->second;
      // A counter that went back is that of a dripd that was started anew.
      const auto rate = [&](std::uint64_t is, std::uint64_t was) {
        return is < was ? 0 : static_cast<double>(is - was) / seconds;
      };
      now.rx_bps = 8 * rate(port.rx_bytes(), then.rx_bytes());
      now.tx_bps = 8 * rate(port.tx_bytes(), then.tx_bytes());
      now.rx_per_second = rate(port.rx_packets(), then.rx_packets());
      now.tx_per_second = rate(port.tx_packets(), then.tx_packets());
      now.missed_per_second = rate(port.rx_missed(), then.rx_missed());
    }
    seen.emplace(port.name(), port);
  }
  before_ = std::move(seen);
  before_ns_ = monotonic_ns;
  return result;
}

}  // namespace drip::cli
