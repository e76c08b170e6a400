-- SPDX-License-Identifier: BSD-3-Clause
-- Tries each command that Drip's scripts use, and returns what Redis says of those that it refuses.
-- KEYS: of a string, a hash, a sorted set and a stream that nothing else uses; they are gone after it.
local text, hash, set, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- What passes by itself is no lack of a right or a command.
local passing = {'OOM', 'READONLY', 'MISCONF', 'NOREPLICAS'}
local refused = {}
local function try(...)
  local answer = redis.pcall(...)
  local why = type(answer) == 'table' and answer.err
  if not why then return true end
  for _, code in ipairs(passing) do
    if string.find(why, code, 1, true) then return true end
  end
  refused[#refused + 1] = select(1, ...) .. ': ' .. why
  return false
end

for _, call in ipairs({{'TIME'}, {'GET', text}, {'EXISTS', text}, {'EXPIRE', text, 1},
    {'HGET', hash, 'a'}, {'HMGET', hash, 'a'}, {'HGETALL', hash}, {'HVALS', hash}, {'HDEL', hash, 'a'},
    {'ZCARD', set}, {'ZPOPMIN', set}, {'ZRANK', set, 'a'}, {'ZSCORE', set, 'a'}, {'ZREM', set, 'a'},
    {'ZREMRANGEBYRANK', set, 0, 0}, {'ZREMRANGEBYSCORE', set, 0, 0},
    {'ZRANGE', set, '0', '+inf', 'BYSCORE', 'LIMIT', 0, 1}, {'XRANGE', stream, '-', '+'}}) do
  try(unpack(call))
end
-- These write, so only where it can be undone.
if try('DEL', text, hash, set, stream) then
  try('SET', text, '1', 'KEEPTTL')
  try('INCR', text)
  try('HSET', hash, 'a', '1')
  try('HINCRBY', hash, 'a', 1)
  try('ZADD', set, 1, 'a')
  try('XADD', stream, '*', 'a', '1')
  redis.pcall('DEL', text, hash, set, stream)
end
return refused
