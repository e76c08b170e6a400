-- SPDX-License-Identifier: BSD-3-Clause
-- Put before queue.lua. `now` is the queues' time: queue_clock.lua has advanced it in the same batch of
-- commands, unless Redis has lost its data in between.
local clock = redis.call('GET', KEYS[2])
if not clock then return redis.error_reply('NOCLOCK the time of the shared queues is lost') end
local now = cmsgpack.unpack(clock)[1]
