-- SPDX-License-Identifier: BSD-3-Clause
-- Rate at the receiver, and from Pktgen's latency packets the delay and how often the delay of two
-- successive ones differs by more than DRIP_JITTER microseconds (10). Sends DRIP_RATE percent of
-- the line rate (1), frames of DRIP_SIZE bytes (1518).
local drip = require "drip"

local size = tonumber(os.getenv("DRIP_SIZE") or 1518)
local ports = { drip.send, drip.receive }

drip.main(function()
  drip.prepare(size)
  pktgen.set(drip.send, "rate", tonumber(os.getenv("DRIP_RATE") or 1))
  -- The average delay is computed only while this page is displayed (23.03).
  pktgen.page("latency")
  for _, port in ipairs(ports) do
    pktgen.jitter(port, tonumber(os.getenv("DRIP_JITTER") or 10))
    -- One latency packet each millisecond. 23.03 has no such setting, only its fixed 10 ms:
    -- latency() takes two arguments there.
    pcall(pktgen.latency, port, "rate", 1000)
    pcall(pktgen.latency, port, "entropy", 0)
    pktgen.latency(port, "enable")
  end
  local result = drip.measure()
  local latency = pktgen.pktStats(drip.receive)[tonumber(drip.receive)].latency
  for _, port in ipairs(ports) do pktgen.latency(port, "disable") end
  result.case = "rate and spacing"
  result.frame_bytes = size - 4
  result.latency_packets = latency.num_pkts
  result.jitter_count = latency.jitter_count
  result.min_us, result.avg_us, result.max_us = latency.min_us, latency.avg_us, latency.max_us
  drip.keep(result)
end)
