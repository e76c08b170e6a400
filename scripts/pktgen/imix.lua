-- SPDX-License-Identifier: BSD-3-Clause
-- The simple IMIX: of 12 frames 7 have 64 bytes, 4 have 594, 1 has 1518. Uses Pktgen's sequence.
local drip = require "drip"

local order = { 64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 64, 594 }

drip.main(function()
  drip.prepare(64)
  local bytes = 0
  for i, size in ipairs(order) do
    bytes = bytes + size - 4
    pktgen.seqTable(i - 1, drip.send, {
      eth_dst_addr = "02:00:00:00:00:02",
      eth_src_addr = "02:00:00:00:00:01",
      ip_dst_addr = "198.19.0.1",
      ip_src_addr = "198.18.0.1/15",
      sport = 1024, dport = 9, ethType = "ipv4", ipProto = "udp", vlanid = 1, pktSize = size,
      teid = 0, cos = 0, tos = 0,
    })
  end
  pktgen.set(drip.send, "seq_cnt", #order)
  drip.run("IMIX", { frame_bytes = bytes / #order })
end)
