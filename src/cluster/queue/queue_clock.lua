-- SPDX-License-Identifier: BSD-3-Clause
-- The time of all shared queues of a cluster: what its nodes have seen pass. queue_clock.h describes
-- it, and the keys, arguments and reply. `redis_us` is put before this text.
local known_id, least, wall, new_id = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
-- Nodes that are alive call twice a second. After a longer silence none of them was.
local silence = 5000000

local seen = redis_us()
local packed = redis.call('GET', KEYS[1])
local us, id = seen, new_id
if packed then
  local before = cmsgpack.unpack(packed)
  us, id = before[1], before[2]
  if known_id == id then
    us = math.max(us, least)
  else
    -- This node has no part of the past. What passed while no node called is at least the smaller of
    -- what Redis's wall clock and a node's have it, unless both were set.
    local gap = math.min(seen - before[3], wall - before[4])
    if gap > silence then us = us + gap end
  end
end
redis.call('SET', KEYS[1], cmsgpack.pack({us, id, seen, wall}))
return {id, us, seen}
