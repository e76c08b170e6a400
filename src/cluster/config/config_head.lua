-- SPDX-License-Identifier: BSD-3-Clause
-- The head of the configuration, put in front of each of its scripts. KEYS[1] is its hash.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
-- Entries of the log after one of so many bytes, which may hold all rules with their address lists:
-- as many as take 16 MiB if all are like it. A node that lags by more reads everything anew.
local function log_length(bytes)
  return math.max(8, math.min(4096, math.floor(16777216 / math.max(bytes, 4096))))
end
local head = redis.call('HMGET', KEYS[1], 'dataset', 'revision', 'tip', 'floor', 'unsettled_ms')
if not head[1] then return redis.error_reply('TRYAGAIN there was no heartbeat yet') end
local revision, floor = tonumber(head[2]), tonumber(head[4])
local recovering = -1
if head[5] ~= '' then recovering = math.max(0, now - tonumber(head[5])) end
local head_reply = {head[1], revision, head[3], floor, recovering}
