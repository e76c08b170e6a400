-- SPDX-License-Identifier: BSD-3-Clause
-- A node leaves: removes its record, and ends its lease if it leads. Keys and arguments:
-- membership_scripts.h.
local packed = redis.call('HGET', KEYS[2], ARGV[1])
if packed and cmsgpack.unpack(packed)[1] == ARGV[2] then redis.call('HDEL', KEYS[2], ARGV[1]) end
if redis.call('HGET', KEYS[1], 'incarnation') == ARGV[2] then
  redis.call('HSET', KEYS[1], 'id', '', 'incarnation', '', 'ends_ms', 0)
end
return 1
