-- SPDX-License-Identifier: BSD-3-Clause
-- One exact bucket of the cluster: a G/D/1/K queue by the law of include/drip/law.h, each call one
-- step. `now`, Redis's clock in microseconds, is set by the line that is put before this text.
--
-- KEYS[1]  the bucket's key: the number of its present instance. All else of it is below that key.
-- ARGV     operation, revision, period in us, its fraction in 2^-32 us, capacity, departure at the
--          start of service (1) or at its end (0), then what the operation needs.
--
-- Time is a count of whole microseconds and a fraction in 2^-32 of one. Lua's numbers are exact up
-- to 2^53: a moment is below 2^51, and 2^20 units of the longest period (an hour) below 2^52, as is
-- the sum of their fractions. So departures are as exact as the period, which is rounded once.
local FRACTION = 4294967296

local operation, revision = ARGV[1], tonumber(ARGV[2])
local asked = {us = tonumber(ARGV[3]), fraction = tonumber(ARGV[4])}
local capacity, at_start = tonumber(ARGV[5]), ARGV[6] == '1'

local function key_of(instance, part) return KEYS[1] .. ':' .. instance .. ':' .. part end

-- a + n * b, for n up to 2^20.
local function advance(point, n, period)
  local fraction = point.fraction + n * period.fraction
  local carry = math.floor(fraction / FRACTION)
  return {us = point.us + n * period.us + carry, fraction = fraction - carry * FRACTION}
end
-- The first whole microsecond that is not before it: what may leave there may leave then.
local function ceil(point) return point.fraction > 0 and point.us + 1 or point.us end
local function ns(us) return string.format('%.0f', us * 1000) end

local instance = redis.call('GET', KEYS[1])
if operation == 'look' or operation == 'release' then
  -- Of the instance in which it was admitted, which may have been deleted since and drain.
  instance = ARGV[8]
end
if not instance then
  local tombstone = redis.call('GET', KEYS[1] .. ':deleted')
  if operation == 'remove' or (tombstone and revision <= tonumber(tombstone)) then
    return {'gone'}
  end
  instance = tostring(redis.call('INCR', KEYS[1] .. ':instances'))
  redis.call('SET', KEYS[1], instance)
end
local state_key, line, ids = key_of(instance, 'state'), key_of(instance, 'line'),
                             key_of(instance, 'ids')
local fields = {'us', 'fraction', 'period_us', 'period_fraction', 'capacity', 'at_start', 'revision',
                'seen', 'next', 'admitted', 'rejected', 'departed', 'dropped', 'last'}
local values = redis.call('HMGET', state_key, unpack(fields))
local state = {}
for i, name in ipairs(fields) do state[name] = tonumber(values[i] or '0') end

if not values[1] then
  if operation == 'look' or operation == 'release' then return {'dropped'} end
  state.us, state.seen = now, now
  state.period_us, state.period_fraction = asked.us, asked.fraction
  state.capacity, state.at_start, state.revision = capacity, at_start and 1 or 0, revision
end
-- A clock that was set back stands still until it is where it was.
if now < state.seen then now = state.seen end
state.seen = now

local point = {us = state.us, fraction = state.fraction}
local period = {us = state.period_us, fraction = state.period_fraction}
local backlog = redis.call('ZCARD', line)

-- What is due by now leaves.
local function leak()
  if backlog == 0 or ceil(point) > now then return end
  local count = math.floor((now - point.us) / (period.us + period.fraction / FRACTION)) + 1
  if count > backlog then count = backlog end
  while count > 1 and ceil(advance(point, count - 1, period)) > now do count = count - 1 end
  while count < backlog and ceil(advance(point, count, period)) <= now do count = count + 1 end
  for first = 1, count, 1000 do
    local left = redis.call('ZPOPMIN', line, math.min(1000, count - first + 1))
    local gone = {}
    for i = 1, #left, 2 do gone[#gone + 1] = left[i] end
    redis.call('HDEL', ids, unpack(gone))
  end
  backlog = backlog - count
  state.departed = state.departed + count
  state.last = ceil(advance(point, count - 1, period))
  -- At the END the point is the head's departure, and with nobody waiting that of the last one.
  local steps = count
  if state.at_start == 0 and backlog == 0 then steps = count - 1 end
  point = advance(point, steps, period)
end
leak()

-- New settings: what is left of the present service is rescaled, and rounded so that nothing leaves
-- early.
if revision > state.revision then
  if ceil(point) > now and (asked.us ~= period.us or asked.fraction ~= period.fraction) then
    local left = (point.us - now) + point.fraction / FRACTION
    local ratio = (asked.us + asked.fraction / FRACTION) / (period.us + period.fraction / FRACTION)
    point = {us = now + math.ceil(left * ratio * (1 + 1e-15)), fraction = 0}
  end
  period = asked
  if at_start ~= (state.at_start == 1) then
    -- A head that was to leave at the start of its service leaves at its end; the other way round
    -- it keeps its time.
    if not at_start and backlog > 0 then point = advance(point, 1, period) end
    state.at_start = at_start and 1 or 0
  end
  state.capacity, state.revision = capacity, revision
end

local function save()
  redis.call('HSET', state_key, 'us', string.format('%.0f', point.us), 'fraction',
             string.format('%.0f', point.fraction), 'period_us', string.format('%.0f', period.us),
             'period_fraction', string.format('%.0f', period.fraction), 'capacity', state.capacity,
             'at_start', state.at_start, 'revision', string.format('%.0f', state.revision), 'seen',
             string.format('%.0f', state.seen), 'next', string.format('%.0f', state.next),
             'admitted', string.format('%.0f', state.admitted), 'rejected',
             string.format('%.0f', state.rejected), 'departed',
             string.format('%.0f', state.departed), 'dropped',
             string.format('%.0f', state.dropped), 'last', string.format('%.0f', state.last))
end
-- The one with `rank` others before it in line: when it leaves, and until its service starts.
local function departure(rank) return ceil(advance(point, rank, period)) - now end
local function wait(rank)
  local steps = state.at_start == 1 and rank or rank - 1
  if steps < 0 then return 0 end
  return math.max(ceil(advance(point, steps, period)) - now, 0)
end
local function in_service() return (state.at_start == 1 and ceil(point) > now) and 1 or 0 end

if operation == 'admit' then
  local id = ARGV[7]
  local known = redis.call('HGET', ids, id)
  if known then
    local rank = redis.call('ZRANK', line, id)
    save()
    return {'duplicate', instance, known, tostring(rank + 1 + in_service()), ns(wait(rank)),
            ns(departure(rank))}
  end
  local occupied = backlog + in_service()
  if occupied >= state.capacity then
    state.rejected = state.rejected + 1
    save()
    return {'full'}
  end
  local sequence = string.format('%.0f', state.next)
  state.next, state.admitted = state.next + 1, state.admitted + 1
  local until_start
  if backlog == 0 then
    if ceil(point) <= now then point = {us = now, fraction = 0} end
    until_start = ceil(point) - now
    if state.at_start == 0 then point = advance(point, 1, period) end
  end
  redis.call('ZADD', line, sequence, id)
  redis.call('HSET', ids, id, sequence .. ' ' .. string.format('%.0f', now))
  save()
  return {'admitted', instance, sequence, tostring(occupied + 1),
          ns(until_start or wait(backlog)), ns(departure(backlog))}
end

if operation == 'look' or operation == 'release' then
  local id, sequence = ARGV[7], ARGV[9]
  local known = redis.call('HGET', ids, id)
  if not known or string.match(known, '^%d+') ~= sequence then
    save()
    if redis.call('EXISTS', key_of(instance, 'released:' .. sequence)) == 1 then
      return {'released'}
    end
    return {'departed'}
  end
  local rank = redis.call('ZRANK', line, id)
  if operation == 'look' then
    save()
    return {'waits', ns(departure(rank))}
  end
  redis.call('ZREM', line, id)
  redis.call('HDEL', ids, id)
  redis.call('SET', key_of(instance, 'released:' .. sequence), '', 'EX', '600')
  state.dropped = state.dropped + 1
  -- The next in line takes over the service under way. With nobody there it served nobody.
  if backlog == 1 and state.at_start == 0 then
    local begun = {us = point.us - period.us, fraction = point.fraction - period.fraction}
    if begun.fraction < 0 then
      begun = {us = begun.us - 1, fraction = begun.fraction + FRACTION}
    end
    point = ceil(begun) > now and begun or {us = now, fraction = 0}
  end
  save()
  return {'released'}
end

if operation == 'read' then
  save()
  return {'read', string.format('%.0f', state.admitted), string.format('%.0f', state.rejected),
          string.format('%.0f', state.departed), string.format('%.0f', state.dropped),
          tostring(backlog), ns(state.departed > 0 and now - state.last or 0),
          ns(math.max(ceil(point) - now, 0))}
end

if operation == 'list' then
  save()
  local first, limit = ARGV[7], tonumber(ARGV[8])
  local listed = redis.call('ZRANGE', line, first, '+inf', 'BYSCORE', 'LIMIT', 0, limit)
  local result = {'list'}
  if #listed == 0 then return result end
  local rank = redis.call('ZRANK', line, listed[1])
  for i, id in ipairs(listed) do
    local known = redis.call('HGET', ids, id)
    local sequence, arrival = string.match(known, '^(%d+) (%d+)$')
    result[#result + 1] = id
    result[#result + 1] = sequence
    result[#result + 1] = tostring(rank + i + in_service())
    result[#result + 1] = ns(wait(rank + i - 1))
    result[#result + 1] = ns(now - tonumber(arrival))
  end
  return result
end

if operation == 'remove' then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[1] .. ':deleted', ARGV[2], 'EX', '60')
  local drop = ARGV[7] == '1'
  if drop then
    redis.call('DEL', state_key, line, ids)
    return {'removed', tostring(backlog), '0'}
  end
  save()
  -- It drains by itself: until the last one has left, and a while longer for who asks.
  local seconds = 600
  if backlog > 0 then seconds = seconds + math.ceil(departure(backlog - 1) / 1000000) end
  for _, key in ipairs({state_key, line, ids}) do redis.call('EXPIRE', key, seconds) end
  return {'removed', '0', tostring(backlog)}
end

return redis.error_reply('ERR there is no operation ' .. operation)
