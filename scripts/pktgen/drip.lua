-- SPDX-License-Identifier: BSD-3-Clause
-- What all runs of Pktgen share: their parameters, one measurement, where results go.
--
-- Parameters come in the environment, for Pktgen gives a script no arguments: DRIP_SECONDS of each
-- measurement (2), DRIP_SEND and DRIP_RECEIVE (ports 0 and 1), DRIP_RESULTS (a file to append to).

local drip = {}

drip.seconds = tonumber(os.getenv("DRIP_SECONDS") or 2)
drip.send = os.getenv("DRIP_SEND") or "0"
drip.receive = os.getenv("DRIP_RECEIVE") or "1"
drip.sizes = { 64, 128, 256, 512, 1024, 1518 }

local results = io.open(os.getenv("DRIP_RESULTS") or "pktgen.jsonl", "a")

local function json(value)
  if type(value) ~= "table" then
    return type(value) == "string" and string.format("%q", value) or tostring(value)
  end
  local names, parts = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = string.format("%q: %s", name, json(value[name])) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- One line of JSON a result.
function drip.keep(result)
  results:write(json(result), "\n")
  results:flush()
end

-- Plain UDP frames of `size` bytes, FCS included, until stopped.
function drip.prepare(size)
  pktgen.stop("all")
  pktgen.set_proto(drip.send, "udp")
  pktgen.set_ipaddr(drip.send, "src", "198.18.0.1/15")
  pktgen.set_ipaddr(drip.send, "dst", "198.19.0.1")
  pktgen.set_mac(drip.send, "dst", "02:00:00:00:00:02")
  pktgen.set(drip.send, "count", 0)
  pktgen.set(drip.send, "burst", 32)
  pktgen.set(drip.send, "size", size)
  pktgen.set(drip.send, "rate", 100)
end

local function counts(port) return pktgen.portStats(port, "port")[tonumber(port)] end

-- Lets traffic run for drip.seconds, waits until nothing more comes, and returns what was sent and
-- received. Pktgen reads the ports' counts once a second: so rates are totals over the time of sending.
function drip.measure()
  pktgen.clr()
  pktgen.delay(1200)
  local sent_before, received_before = counts(drip.send).opackets, counts(drip.receive).ipackets
  pktgen.start(drip.send)
  pktgen.delay(math.floor(1000 * drip.seconds))
  pktgen.stop(drip.send)
  local received = -1
  repeat
    pktgen.delay(1200)
    local before = received
    received = counts(drip.receive).ipackets
  until received == before
  local sent = counts(drip.send).opackets - sent_before
  received = received - received_before
  return {
    sent = sent,
    received = received,
    lost = sent - received,
    sent_pps = sent / drip.seconds,
    received_pps = received / drip.seconds,
  }
end

-- Results of a case, under its name.
function drip.run(case, extra)
  local result = drip.measure()
  result.case = case
  for name, value in pairs(extra or {}) do result[name] = value end
  drip.keep(result)
  return result
end

-- Pktgen stays at its prompt after a script: end it.
function drip.finish()
  results:close()
  pktgen.stop("all")
  pktgen.quit()
end

return drip
