-- SPDX-License-Identifier: BSD-3-Clause
-- Ends recovery: the node with the highest revision writes its configuration back. Keys, arguments
-- and reply: configuration_scripts.h.
local lease, applied = tonumber(ARGV[1]), tonumber(ARGV[2])
if recovering < 0 and floor <= revision then return 'recovered' end
if recovering >= 0 and recovering < lease then return 'wait' end

local highest = 0
for _, packed in ipairs(redis.call('HVALS', KEYS[4])) do
  local member = cmsgpack.unpack(packed)
  if now - member[2] < member[3] then highest = math.max(highest, member[5]) end
end
local result = 'recovered'
if recovering >= 0 and highest > revision then
  if highest > applied then return 'wait' end
  redis.call('DEL', KEYS[2])
  for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  redis.call('HSET', KEYS[1], 'rules', ARGV[4], 'rules_revision', ARGV[5])
  redis.call('DEL', KEYS[5])
  result = 'written'
end
-- Nodes may have applied different changes under this revision or a higher one: a revision above all
-- of them makes every node read the whole configuration.
if result == 'written' or floor > revision then
  local above = string.format('%.0f', math.max(floor, highest, revision) + 1)
  redis.call('HSET', KEYS[1], 'revision', above, 'floor', above, 'tip', ARGV[3])
  redis.call('DEL', KEYS[3])
end
redis.call('HSET', KEYS[1], 'unsettled_ms', '')
return result
