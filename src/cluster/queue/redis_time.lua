-- SPDX-License-Identifier: BSD-3-Clause
-- Put before other scripts.
local function redis_us()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end
