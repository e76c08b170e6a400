// SPDX-License-Identifier: BSD-3-Clause
// What `top` shows, as it was read from a node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "drip/v1/shaper.pb.h"

namespace drip::cli {

// A port and its rates since it was read before; 0 the first time.
struct PortNow {
  v1::Port port;
  double rx_bps = 0;
  double tx_bps = 0;
  double rx_per_second = 0;
  double tx_per_second = 0;
  double missed_per_second = 0;
};

struct Screenful {
  v1::WatchTopResponse top;
  std::optional<v1::GetNodeResponse> node;  // None for a caller who may see its own buckets only.
  std::vector<PortNow> ports;               // Likewise.
};

// Not thread safe.
class PortMeter {
 public:
  // Read at `monotonic_ns`.
  std::vector<PortNow> update(const v1::ListPortsResponse& ports, std::int64_t monotonic_ns);

 private:
  std::map<std::string, v1::Port> before_;
  std::int64_t before_ns_ = 0;
};

}  // namespace drip::cli
