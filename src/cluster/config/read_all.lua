-- SPDX-License-Identifier: BSD-3-Clause
-- All rules and buckets. Keys, arguments and reply: configuration_scripts.h.
local rules = redis.call('HMGET', KEYS[1], 'rules', 'rules_revision')
return {head_reply, rules[1] or '', tonumber(rules[2] or '0'), redis.call('HGETALL', KEYS[2])}
