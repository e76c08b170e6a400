-- SPDX-License-Identifier: BSD-3-Clause
-- Makes a change on top of the head revision. Keys, arguments and reply: configuration_scripts.h.
local dataset, base, base_id, change_id, op, data, rule_form, rules, sets = unpack(ARGV, 1, 9)
if recovering >= 0 or floor > revision then return 'recovering' end
if head[1] ~= dataset or head[2] ~= base or head[3] ~= base_id then return 'conflict' end
local next_revision = string.format('%.0f', revision + 1)
local at = 10
for _ = 1, tonumber(sets) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = at, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
redis.call('HSET', KEYS[1], 'revision', next_revision, 'tip', change_id)
if rule_form == 'all' then
  redis.call('HSET', KEYS[1], 'rules', rules, 'rules_revision', next_revision)
  redis.call('DEL', KEYS[4])
elseif rule_form == 'one' then
  redis.call('HSET', KEYS[1], 'rules_revision', next_revision)
  redis.call('XADD', KEYS[4], next_revision .. '-0', 'op', op, 'data', data)
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', log_length(#data),
  next_revision .. '-0', 'op', op, 'data', data, 'tip', change_id)
return 'done'
