// SPDX-License-Identifier: BSD-3-Clause
// Lua over the hashes `config` and `buckets` and the stream `log`.
#include "cluster/config/configuration_scripts.h"

#include <string>

namespace drip::cluster {
namespace {

// A node that lags by more than log_length changes reads everything anew: the log is bounded, for a
// change of rules holds all of them.
constexpr const char* kHead = R"lua(
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local log_length = 128
local head = redis.call('HMGET', KEYS[1], 'dataset', 'revision', 'tip', 'floor', 'unsettled_ms')
if not head[1] then return redis.error_reply('TRYAGAIN no heartbeat has been here yet') end
local revision, floor = tonumber(head[2]), tonumber(head[4])
local unsettled = -1
if head[5] ~= '' then unsettled = math.max(0, now - tonumber(head[5])) end
local answer = {head[1], revision, head[3], floor, unsettled}
)lua";

std::string with_head(const char* body) { return std::string(kHead) + body; }

}  // namespace

const RedisScript& read_log_script() {
  static const RedisScript script(with_head(R"lua(
local list = {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[2], ARGV[1] .. '-0', '+', 'COUNT', 200)) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  list[#list + 1] = {tonumber(string.match(entry[1], '^%d+')), fields.op, fields.data, fields.tip}
end
return {answer, list}
)lua"));
  return script;
}

const RedisScript& read_all_script() {
  static const RedisScript script(with_head(R"lua(
local rules = redis.call('HMGET', KEYS[1], 'rules', 'rules_revision')
return {answer, rules[1] or '', tonumber(rules[2] or '0'), redis.call('HGETALL', KEYS[2])}
)lua"));
  return script;
}

const RedisScript& commit_script() {
  static const RedisScript script(with_head(R"lua(
local dataset, base, base_tip, tip, op, data, sets_rules, rules, sets = unpack(ARGV, 1, 9)
if unsettled >= 0 or floor > revision then return 'unsettled' end
if head[1] ~= dataset or head[2] ~= base or head[3] ~= base_tip then return 'conflict' end
local next_revision = string.format('%.0f', revision + 1)
local at = 10
for _ = 1, tonumber(sets) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  at = at + 2
end
for i = at, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
redis.call('HSET', KEYS[1], 'revision', next_revision, 'tip', tip)
if sets_rules == '1' then
  redis.call('HSET', KEYS[1], 'rules', rules, 'rules_revision', next_revision)
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', log_length, next_revision .. '-0', 'op', op,
  'data', data, 'tip', tip)
return 'done'
)lua"));
  return script;
}

const RedisScript& settle_script() {
  static const RedisScript script(with_head(R"lua(
local lease, applied = tonumber(ARGV[1]), tonumber(ARGV[2])
if unsettled < 0 and floor <= revision then return 'settled' end
if unsettled >= 0 and unsettled < lease then return 'wait' end

local highest = 0
for _, packed in ipairs(redis.call('HVALS', KEYS[4])) do
  local member = cmsgpack.unpack(packed)
  if now - member[2] < member[3] then highest = math.max(highest, member[5]) end
end
local answer_word = 'settled'
if unsettled >= 0 and highest > revision then
  if highest > applied then return 'wait' end
  redis.call('DEL', KEYS[2])
  for i = 6, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  redis.call('HSET', KEYS[1], 'rules', ARGV[4], 'rules_revision', ARGV[5])
  answer_word = 'written'
end
-- What nodes have applied under this number, or a higher one, may differ: they read all anew.
if answer_word == 'written' or floor > revision then
  local above = string.format('%.0f', math.max(floor, highest, revision) + 1)
  redis.call('HSET', KEYS[1], 'revision', above, 'floor', above, 'tip', ARGV[3])
  redis.call('DEL', KEYS[3])
end
redis.call('HSET', KEYS[1], 'unsettled_ms', '')
return answer_word
)lua"));
  return script;
}

}  // namespace drip::cluster
