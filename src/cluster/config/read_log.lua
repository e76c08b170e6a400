-- SPDX-License-Identifier: BSD-3-Clause
-- The log from a revision on. Keys, arguments and reply: configuration_scripts.h.
local list = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', '+', 'COUNT', 200)) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  list[#list + 1] = {tonumber(string.match(entry[1], '^%d+')), fields.op, fields.data, fields.tip}
end
return {head_reply, list}
