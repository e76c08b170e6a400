-- SPDX-License-Identifier: BSD-3-Clause
-- The rate at the receiver, and by Pktgen's latency packets the delay and how many of them came more
-- than DRIP_JITTER microseconds (10) earlier or later, measured from the one before, than they were
-- sent: at DRIP_RATE percent of the line (1), frames of DRIP_SIZE bytes (1518).
local drip = require "drip"

local size = tonumber(os.getenv("DRIP_SIZE") or 1518)
drip.prepare(size)
pktgen.set(drip.send, "rate", tonumber(os.getenv("DRIP_RATE") or 1))
for _, port in ipairs({ drip.send, drip.receive }) do
  pktgen.jitter(port, tonumber(os.getenv("DRIP_JITTER") or 10))
  pktgen.latency(port, "rate", 1000)
  pktgen.latency(port, "entropy", 0)
  pktgen.latency(port, "enable")
end
local result = drip.measure()
local latency = pktgen.pktStats(drip.receive)[tonumber(drip.receive)].latency
for _, port in ipairs({ drip.send, drip.receive }) do pktgen.latency(port, "disable") end
result.case = "rate and spacing"
result.frame_bytes = size - 4
result.latency_packets = latency.num_pkts
result.jitter_count = latency.jitter_count
result.min_us, result.avg_us, result.max_us = latency.min_us, latency.avg_us, latency.max_us
drip.keep(result)
drip.finish()
