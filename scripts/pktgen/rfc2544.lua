-- SPDX-License-Identifier: BSD-3-Clause
-- RFC 2544, section 26.1: the highest rate at which at most a fraction DRIP_LOSS (0) of the frames
-- is lost, for each size of DRIP_SIZES ("64"), by bisection down to DRIP_RESOLUTION percent of the
-- line rate (0.5).
local drip = require "drip"

local allowed = tonumber(os.getenv("DRIP_LOSS") or 0)
local resolution = tonumber(os.getenv("DRIP_RESOLUTION") or 0.5)

local function trial(size, percent)
  drip.prepare(size)
  pktgen.set(drip.send, "rate", percent)
  local result = drip.run(string.format("RFC 2544 trial, %d bytes", size),
                          { percent = percent, frame_bytes = size - 4 })
  return result.sent > 0 and result.lost <= allowed * result.sent, result
end

local function search(size)
  local low, high, best = 0, 100, nil
  local good, result = trial(size, 100)
  if good then
    low, best = 100, result
  else
    while high - low > resolution do
      local percent = (low + high) / 2
      good, result = trial(size, percent)
      if good then low, best = percent, result else high = percent end
    end
  end
  drip.keep({
    case = string.format("RFC 2544 throughput, %d bytes", size), percent = low,
    frame_bytes = size - 4, sent = best and best.sent or 0, received = best and best.received or 0,
    lost = best and best.lost or 0, sent_pps = best and best.sent_pps or 0,
    received_pps = best and best.received_pps or 0,
  })
end

drip.main(function()
  for size in string.gmatch(os.getenv("DRIP_SIZES") or "64", "%d+") do search(tonumber(size)) end
end)
