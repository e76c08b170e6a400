-- SPDX-License-Identifier: BSD-3-Clause
-- DRIP_FLOWS flows (1024) that differ in their source address. Uses Pktgen's range. With a per-flow
-- rule of dripd each flow gets a bucket of its own.
local drip = require "drip"

local flows = tonumber(os.getenv("DRIP_FLOWS") or 1024)
local function address(n)
  return string.format("198.18.%d.%d", math.floor(n / 256), n % 256)
end

drip.main(function()
  drip.prepare(64)
  local range, port = pktgen.range, drip.send
  range.dst_mac(port, "start", "02:00:00:00:00:02")
  range.src_mac(port, "start", "02:00:00:00:00:01")
  range.dst_ip(port, "start", "198.19.0.1")
  range.dst_ip(port, "inc", "0.0.0.0")
  range.dst_ip(port, "min", "198.19.0.1")
  range.dst_ip(port, "max", "198.19.0.1")
  range.src_ip(port, "start", address(1))
  range.src_ip(port, "inc", "0.0.0.1")
  range.src_ip(port, "min", address(1))
  range.src_ip(port, "max", address(flows))
  range.ip_proto(port, "udp")
  for _, field in ipairs({ "src_port", "dst_port" }) do
    range[field](port, "start", 1024)
    range[field](port, "inc", 0)
    range[field](port, "min", 1024)
    range[field](port, "max", 1024)
  end
  range.pkt_size(port, "start", 64)
  range.pkt_size(port, "inc", 0)
  range.pkt_size(port, "min", 64)
  range.pkt_size(port, "max", 64)
  pktgen.set_range(port, "on")
  drip.run(flows .. " flows", { frame_bytes = 60 })
end)
