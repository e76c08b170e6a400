-- SPDX-License-Identifier: BSD-3-Clause
-- One shared queue: a G/D/1/K queue by the virtual schedule of include/drip/virtual_schedule.h. Each
-- call is one step. `now`, the queues' time in microseconds (queue_clock.h), and redis_us(), Redis's
-- own clock, are put before this text.
--
-- KEYS[1]  the bucket's key: the name of its present instance. All else of it is below that key:
--          INSTANCE:state  what `fields` names, packed
--          INSTANCE:line   a sorted set of what waits, by sequence: request ids, and of units without
--                          a name a NUL and their sequence
--          INSTANCE:ids    request id -> 'sequence arrival', how long it is to be remembered, the call
--                          that admitted it and the position that it got
--          INSTANCE:left   a sorted set of the ids that have left and are remembered, by until when
-- KEYS[2]  the queues' time
-- ARGV     operation, revision, period in us, its fraction in 2^-32 us, capacity, departure at the
--          start of service (1) or at its end (0), then what the operation needs.
--
-- Time is a count of whole microseconds and a fraction in 2^-32 of one. Lua's numbers are exact up
-- to 2^53: a moment is below 2^51, and 2^20 units of the longest period (an hour) below 2^52, as is
-- the sum of their fractions. So departures are as exact as the period, which is rounded once.
local FRACTION = 4294967296
-- Ids of one queue that are remembered; the first to be forgotten anyway goes first.
local MOST_REMEMBERED = 100000

local operation, revision = ARGV[1], tonumber(ARGV[2])
-- By then the caller was told that there is no answer: nothing is admitted any more. By Redis's
-- clock: the queues' time is that of the call's departure from its node, however late it comes.
if operation == 'admit' and ARGV[7] ~= '0' and redis_us() > tonumber(ARGV[7]) then return {'late'} end
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
    return {'deleted'}
  end
  -- The time makes it another one even if Redis has lost its data since.
  instance = string.format('%.0f.%d', redis_us(), redis.call('INCR', KEYS[1] .. ':instances'))
  redis.call('SET', KEYS[1], instance)
end
local state_key, line, ids = key_of(instance, 'state'), key_of(instance, 'line'),
                             key_of(instance, 'ids')
local left_key = key_of(instance, 'left')
local fields = {'us', 'fraction', 'period_us', 'period_fraction', 'capacity', 'at_start', 'revision',
                'seen', 'next', 'admitted', 'rejected', 'departed', 'dropped', 'last', 'created',
                'waited', 'remembering', 'forgotten'}
local packed = redis.call('GET', state_key)
local values = packed and cmsgpack.unpack(packed) or {}
local state = {}
for i, name in ipairs(fields) do state[name] = values[i] or 0 end

if not packed then
  if operation == 'look' or operation == 'release' then
    -- Lost: Redis has lost its data, or is a replica that lacked them.
    return {redis.call('EXISTS', key_of(instance, 'dropped')) == 1 and 'dropped' or 'lost'}
  end
  state.us, state.seen, state.created = now, now, revision
  state.period_us, state.period_fraction = asked.us, asked.fraction
  state.capacity, state.at_start, state.revision = capacity, at_start and 1 or 0, revision
end
-- A time that is behind, for data were lost, counts as standing still until it is where it was.
if now < state.seen then now = state.seen end
state.seen = now

local point = {us = state.us, fraction = state.fraction}
local period = {us = state.period_us, fraction = state.period_fraction}
local backlog = redis.call('ZCARD', line)

local function nameless(member) return string.byte(member, 1) == 0 end

-- How long the id of what ids holds of it is to be remembered.
local function remember_of(known) return tonumber(string.match(known, '^%d+ %d+ (%d+)')) or 0 end

-- The position that the call got when it was made before, or nil: that was another one.
local function position_of(known, token)
  local by, position = string.match(known, '^%d+ %d+ %d+ (%d+) (%d+)')
  return token ~= '0' and by == token and tonumber(position) or nil
end

-- Those of `departed` whose ids are to be known for longer; the first of them left `rank` services
-- after the point.
local function remember(departed, ranks)
  local known, kept = redis.call('HMGET', ids, unpack(departed)), {}
  for i, text in ipairs(known) do
    local span = text and remember_of(text) or 0
    if span > 0 then
      state.remembering = state.remembering - 1
      kept[#kept + 1] = string.format('%.0f', ceil(advance(point, ranks[i], period)) + span)
      kept[#kept + 1] = departed[i]
    end
  end
  if #kept == 0 then return end
  redis.call('ZADD', left_key, unpack(kept))
  redis.call('ZREMRANGEBYSCORE', left_key, '-inf', string.format('%.0f', now))
  local over = redis.call('ZCARD', left_key) - MOST_REMEMBERED
  if over > 0 then
    redis.call('ZREMRANGEBYRANK', left_key, 0, over - 1)
    state.forgotten = state.forgotten + over
  end
  -- Longer than any id is remembered.
  redis.call('EXPIRE', left_key, 90000)
end

-- What is due by now leaves.
local function leak()
  if backlog == 0 or ceil(point) > now then return end
  local count = math.floor((now - point.us) / (period.us + period.fraction / FRACTION)) + 1
  if count > backlog then count = backlog end
  while count > 1 and ceil(advance(point, count - 1, period)) > now do count = count - 1 end
  while count < backlog and ceil(advance(point, count, period)) <= now do count = count + 1 end
  for first = 1, count, 1000 do
    local left = redis.call('ZPOPMIN', line, math.min(1000, count - first + 1))
    local departed, ranks = {}, {}
    for i = 1, #left, 2 do
      if not nameless(left[i]) then
        departed[#departed + 1] = left[i]
        ranks[#ranks + 1] = first - 1 + (i - 1) / 2
      end
    end
    if #departed > 0 then
      if state.remembering > 0 then remember(departed, ranks) end
      redis.call('HDEL', ids, unpack(departed))
    end
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
  state.us, state.fraction = point.us, point.fraction
  state.period_us, state.period_fraction = period.us, period.fraction
  for i, name in ipairs(fields) do values[i] = state[name] end
  -- One that drains after its deletion expires.
  redis.call('SET', state_key, cmsgpack.pack(values), 'KEEPTTL')
end
-- Of the unit with `rank` others before it: until its departure, and until its service starts.
local function departure(rank) return ceil(advance(point, rank, period)) - now end
local function wait(rank)
  local steps = state.at_start == 1 and rank or rank - 1
  if steps < 0 then return 0 end
  return math.max(ceil(advance(point, steps, period)) - now, 0)
end
local function in_service() return (state.at_start == 1 and ceil(point) > now) and 1 or 0 end

-- Where those that come now begin: when the first of them starts, after `steps` services, and when
-- the one with `rank` others of them before it starts.
local function newcomers()
  local first, steps = point, backlog
  if backlog == 0 and ceil(point) <= now then first = {us = now, fraction = 0} end
  if backlog > 0 and state.at_start == 0 then steps = backlog - 1 end
  return function(rank) return math.max(ceil(advance(first, steps + rank, period)) - now, 0) end
end

-- Several, each by itself, in their order: how many, then of each its id (or nothing), how many
-- units, whether all or none of them, the longest wait until a service may start and until the
-- departure (or nothing), whether this is but a look, how long its id is to be remembered, and a
-- number by which the call is known when it comes again (0: it does not). All times are in
-- microseconds. Answers for each: how many were admitted, what else (1: its id waits already, 2: the
-- others found no room, 3: they would wait too long, 4: its id has left and is remembered), and of
-- the first its sequence, position, wait and time to its departure.
if operation == 'admit' then
  local result = {'tickets', instance}
  local function answer(...)
    for _, value in ipairs({...}) do result[#result + 1] = value end
  end
  for item = 1, tonumber(ARGV[8]) do
    local at = 8 * item
    local id, count, all = ARGV[at + 1], tonumber(ARGV[at + 2]), ARGV[at + 3] == '1'
    local most_start, most_departure = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 5])
    local look, span, token = ARGV[at + 6] == '1', tonumber(ARGV[at + 7]), ARGV[at + 8]
    local known = id ~= '' and redis.call('HGET', ids, id)
    local until_when = id ~= '' and not known and redis.call('ZSCORE', left_key, id)
    if known then
      -- Its own answer was lost with the connection: it is given as it was.
      local before = position_of(known, token)
      local rank = redis.call('ZRANK', line, id)
      answer(1, before and 0 or 1, tonumber(string.match(known, '^%d+')),
             before or rank + 1 + in_service(), wait(rank), departure(rank))
    elseif until_when and tonumber(until_when) > now then
      answer(1, 4, 0, 0, 0, 0)
    else
      local occupied = backlog + in_service()
      local room = math.max(state.capacity - occupied, 0)
      local taken = math.min(count, (all and room < count) and 0 or room)
      local what_else = taken < count and 2 or 0
      local start = newcomers()
      local served = state.at_start == 1 and 0 or 1
      local function patient(rank)
        return not (most_start and start(rank) > most_start) and
               not (most_departure and start(rank + served) > most_departure)
      end
      if taken > 0 and not patient(taken - 1) then
        local fitting = 0
        while not all and patient(fitting) do fitting = fitting + 1 end
        taken, what_else = fitting, 3
      end
      if not look then
        if what_else == 3 then
          state.waited = state.waited + count - taken
        else
          state.rejected = state.rejected + count - taken
        end
      end
      if taken == 0 then
        answer(0, what_else, 0, 0, what_else == 3 and start(0) or 0, 0)
      elseif look then
        answer(taken, what_else, 0, occupied + 1, start(0), start(served))
      else
        local sequence, until_start = state.next, nil
        if backlog == 0 then
          if ceil(point) <= now then point = {us = now, fraction = 0} end
          until_start = ceil(point) - now
          if state.at_start == 0 then point = advance(point, 1, period) end
        end
        local members = {}
        for unit = sequence, sequence + taken - 1 do
          local text = string.format('%.0f', unit)
          members[#members + 1] = text
          members[#members + 1] = id ~= '' and id or '\0' .. text
        end
        redis.call('ZADD', line, unpack(members))
        if id ~= '' then
          redis.call('HSET', ids, id, string.format('%s %.0f %.0f %s %.0f', members[1], now, span,
                                                    token, occupied + 1))
          if span > 0 then state.remembering = state.remembering + 1 end
        end
        answer(taken, what_else, sequence, occupied + 1, until_start or wait(backlog),
               departure(backlog))
        state.next, state.admitted = sequence + taken, state.admitted + taken
        backlog = backlog + taken
      end
    end
  end
  save()
  return result
end

if operation == 'look' or operation == 'release' then
  local id, sequence = ARGV[7], ARGV[9]
  local known = redis.call('HGET', ids, id)
  if not known or string.match(known, '^%d+') ~= sequence then
    save()
    if redis.call('EXISTS', key_of(instance, 'released:' .. sequence)) == 1 then
      return {'released'}
    end
    -- Only later ones wait, unless this was a replica that never had it.
    local head = redis.call('ZRANGE', line, 0, 0, 'WITHSCORES')
    if tonumber(sequence) >= (tonumber(head[2]) or state.next) then return {'lost'} end
    return {'departed'}
  end
  local rank = redis.call('ZRANK', line, id)
  if operation == 'look' then
    save()
    return {'waits', ns(departure(rank))}
  end
  if remember_of(known) > 0 then state.remembering = state.remembering - 1 end
  redis.call('ZREM', line, id)
  redis.call('HDEL', ids, id)
  redis.call('SET', key_of(instance, 'released:' .. sequence), '', 'EX', '600')
  state.dropped = state.dropped + 1
  -- The next one takes over the service under way. If there is none nothing was served.
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
          ns(math.max(ceil(point) - now, 0)), string.format('%.0f', state.waited)}
end

-- Where the next page begins (nothing: there is none), then of each its id, sequence, position, wait
-- and time since its arrival. So long a row of units without a name that a page may be empty.
if operation == 'list' then
  save()
  local cursor, limit, scanned, listed = tonumber(ARGV[7]), tonumber(ARGV[8]), 0, 0
  local result = {'list', ''}
  while scanned < 20000 do
    local some = redis.call('ZRANGE', line, string.format('%.0f', cursor), '+inf', 'BYSCORE',
                            'LIMIT', 0, 1000, 'WITHSCORES')
    if #some == 0 then return result end
    local rank = redis.call('ZRANK', line, some[1])
    for i = 1, #some, 2 do
      local id = some[i]
      cursor = tonumber(some[i + 1])
      if not nameless(id) then
        if listed == limit then
          result[2] = some[i + 1]
          return result
        end
        listed = listed + 1
        local arrival = string.match(redis.call('HGET', ids, id), '^%d+ (%d+)')
        result[#result + 1] = id
        result[#result + 1] = some[i + 1]
        result[#result + 1] = tostring(rank + 1 + in_service())
        result[#result + 1] = ns(wait(rank))
        result[#result + 1] = ns(now - tonumber(arrival))
      end
      rank = rank + 1
    end
    cursor, scanned = cursor + 1, scanned + #some / 2
  end
  result[2] = string.format('%.0f', cursor)
  return result
end

if operation == 'remove' then
  -- A later bucket has the same name.
  if state.created > revision then return {'deleted'} end
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[1] .. ':deleted', string.format('%.0f', math.max(revision, state.revision)),
             'EX', '60')
  -- It distinguishes instances of one microsecond, of which there are none a day later.
  redis.call('EXPIRE', KEYS[1] .. ':instances', 86400)
  local drop = ARGV[7] == '1'
  if drop then
    redis.call('DEL', state_key, line, ids, left_key)
    redis.call('SET', key_of(instance, 'dropped'), '', 'EX', '600')
    return {'removed', tostring(backlog), '0'}
  end
  save()
  -- It drains by itself: its keys stay until the last unit has left, and a while longer for callers
  -- that ask about it.
  local seconds = 600
  if backlog > 0 then seconds = seconds + math.ceil(departure(backlog - 1) / 1000000) end
  for _, key in ipairs({state_key, line, ids}) do redis.call('EXPIRE', key, seconds) end
  return {'removed', '0', tostring(backlog)}
end

return redis.error_reply('ERR there is no operation ' .. operation)
