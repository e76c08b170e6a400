-- SPDX-License-Identifier: BSD-3-Clause
-- All rules and buckets. Keys, arguments and reply: configuration_scripts.h.
local rules = redis.call('HMGET', KEYS[1], 'rules', 'rules_revision')
local changes = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[3], '-', '+')) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  changes[#changes + 1] = {fields.op, fields.data}
end
return {head_reply, rules[1] or '', tonumber(rules[2] or '0'), changes, redis.call('HGETALL', KEYS[2])}
