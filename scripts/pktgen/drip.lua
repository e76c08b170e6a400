-- SPDX-License-Identifier: BSD-3-Clause
-- Shared by all scripts for Pktgen: parameters, one measurement, the file of results.
--
-- Pktgen gives a script no arguments, so parameters are environment variables: DRIP_SECONDS of
-- sending in each measurement (2), DRIP_SEND and DRIP_RECEIVE (ports, 0 and 1), DRIP_RESULTS (file
-- to append to).
local drip = {}

drip.seconds = tonumber(os.getenv("DRIP_SECONDS") or 2)
drip.send = os.getenv("DRIP_SEND") or "0"
drip.receive = os.getenv("DRIP_RECEIVE") or "1"
drip.sizes = { 64, 128, 256, 512, 1024, 1518 }

local results = io.open(os.getenv("DRIP_RESULTS") or "pktgen.jsonl", "a")

local function quoted(text)
  local escape = function(c) return string.format("\\u%04x", c:byte()) end
  return '"' .. text:gsub('[%c"\\]', escape) .. '"'
end

local function json(value)
  if type(value) ~= "table" then
    return type(value) == "string" and quoted(value) or tostring(value)
  end
  local names, parts = {}, {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = quoted(name) .. ": " .. json(value[name]) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- Appends a result to the file, as one line of JSON.
function drip.keep(result)
  results:write(json(result), "\n")
  results:flush()
end

-- Configures the sending port for UDP frames of `size` bytes, FCS included, without a limit on
-- their number.
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

-- Pktgen reads the counts of the ports once a second.
local COUNTS_MS = 1200

-- Returns the number of received packets once it no longer changes.
local function final_received()
  local received = -1
  for _ = 1, 20 do
    pktgen.delay(COUNTS_MS)
    local before = received
    received = counts(drip.receive).ipackets
    if received == before then return received end
  end
  error("packets still arrive 20 readings after the sender was stopped")
end

-- Sends for drip.seconds, waits until no more packets arrive, and returns the numbers of packets
-- sent and received. Rates are totals over the time of sending, because counts are read only once a
-- second.
function drip.measure()
  pktgen.clr()
  pktgen.delay(COUNTS_MS)
  local sent_before, received_before = counts(drip.send).opackets, counts(drip.receive).ipackets
  pktgen.start(drip.send)
  pktgen.delay(math.floor(1000 * drip.seconds))
  pktgen.stop(drip.send)
  local received = final_received() - received_before
  local sent = counts(drip.send).opackets - sent_before
  return {
    sent = sent,
    received = received,
    lost = sent - received,
    sent_pps = sent / drip.seconds,
    received_pps = received / drip.seconds,
  }
end

-- Measures once and keeps the result under the name of the case.
function drip.run(case, extra)
  local result = drip.measure()
  result.case = case
  for name, value in pairs(extra or {}) do result[name] = value end
  drip.keep(result)
  return result
end

-- Runs the body of a script. Pktgen stays at its prompt when a script has ended or failed, so it is
-- told to quit in both cases; the message of an error is kept as a result {error = ...}.
function drip.main(body)
  local good, message = xpcall(body, debug.traceback)
  if not good then drip.keep({ error = message }) end
  results:close()
  pktgen.stop("all")
  pktgen.quit()
end

return drip
