-- SPDX-License-Identifier: BSD-3-Clause
-- Leased shares: what nodes hold and what the leader grants, each call one step for the groups of
-- buckets that it names. share_allocator.h and share_holder.h describe the protocol; the lease
-- simulation of the tests models these calls.
--
-- KEYS[1]  the leader's hash (epoch)
-- KEYS[2]  a hash: run_id (of the Redis process whose data these are), generation, learning,
--          frozen, reported (whether anybody held something while learning)
-- KEYS[3]  a hash of heads by GROUP:SESSION, each "SEQUENCE LOST NODE"
-- KEYS[4]  a hash of versions by group, raised by each plan
-- KEYS[5]  a hash by group, raised by each change that a leader must see
-- KEYS[5 + N]  a hash of packed sessions of the call's group N: held, taken, granted, demands
-- ARGV[1]  the epoch of the leader that asks, or 0; ARGV[2] operation; ARGV[3] run_id.
--
-- If Redis restarts with older data, or a replica that lags takes over, another process answers, and
-- what it has stored of leases is not trusted.
local epoch, operation, run_id = ARGV[1], ARGV[2], ARGV[3]
local meta = redis.call('HMGET', KEYS[2], 'run_id', 'generation', 'learning', 'frozen', 'reported')
local known_data = meta[1] == run_id

local function fenced()
  local present = redis.call('HGET', KEYS[1], 'epoch') or '0'
  if present ~= epoch then
    return redis.error_reply('FENCED epoch ' .. epoch .. ' is over: the present one is ' .. present)
  end
end

local function read_head(text)
  local sequence, lost, node = string.match(text, '^(%d+) ([01]) (.*)$')
  return {sequence = tonumber(sequence), lost = lost == '1', node = node}
end

local function head_of(sequence, lost, node)
  return string.format('%.0f %s %s', sequence, lost and '1' or '0', node)
end

if operation == 'exchange' then
  -- For each group: GROUP, sequence, held, whether any of it is leased, demands; held is '=' where
  -- only the lease is renewed: what the session holds, and what came with its last exchange, stay.
  local id, node, generation = ARGV[4], ARGV[5], ARGV[6]
  if not known_data then return {'unknown', '0'} end
  if meta[2] ~= generation then return {'unknown', meta[2]} end
  local fields = {}
  for i = 7, #ARGV, 5 do fields[#fields + 1] = ARGV[i] .. ':' .. id end
  local heads = redis.call('HMGET', KEYS[3], unpack(fields))
  local written = {}
  local result = {'done', meta[2], redis.call('HGET', KEYS[1], 'epoch') or '0'}
  for n = 1, #fields do
    local group, number, held, leased, demands = unpack(ARGV, 5 * n + 2, 5 * n + 6)
    local sequence = tonumber(number)
    local known = heads[n] and read_head(heads[n])
    local answer, grant = 'renewed', '='
    if known and sequence <= known.sequence then
      answer = 'stale'
    elseif held == '=' then
      if known and not known.lost then
        written[#written + 1] = fields[n]
        written[#written + 1] = head_of(sequence, false, node)
        grant = '-'
      else
        answer = 'changed'
      end
    elseif known and known.lost and leased == '1' then
      answer = 'lost'
    elseif not known and meta[3] ~= '1' and held ~= '' then
      answer = 'forgotten'
    else
      local packed = known and redis.call('HGET', KEYS[5 + n], id)
      local before = packed and cmsgpack.unpack(packed) or {}
      local granted = before.granted
      if not packed or known.lost or before.held ~= held or before.taken ~= granted
          or before.demands ~= demands then
        redis.call('HSET', KEYS[5 + n], id, cmsgpack.pack({held = held, taken = granted,
          granted = granted, demands = demands}))
        redis.call('HINCRBY', KEYS[5], group, 1)
      end
      written[#written + 1] = fields[n]
      written[#written + 1] = head_of(sequence, false, node)
      if held ~= '' and meta[3] == '1' then redis.call('HSET', KEYS[2], 'reported', '1') end
      if granted ~= held then grant = granted or '-' end
    end
    result[#result + 1] = answer
    result[#result + 1] = grant
  end
  if #written > 0 then redis.call('HSET', KEYS[3], unpack(written)) end
  return result
end

if operation == 'leave' then
  for i = 5, #ARGV do
    if redis.call('HDEL', KEYS[3], ARGV[i] .. ':' .. ARGV[4]) == 1 then
      redis.call('HDEL', KEYS[1 + i], ARGV[4])
      redis.call('HINCRBY', KEYS[5], ARGV[i], 1)
    end
  end
  return {'left'}
end

if operation == 'poll' then
  -- The state of the data, then how many versions follow, the versions, and the changes.
  if not known_data then return {'0', '1', '0', '0'} end
  local result = {meta[2], meta[3], meta[4]}
  local versions = redis.call('HGETALL', KEYS[4])
  result[4] = tostring(#versions / 2)
  for i = 1, #versions do result[4 + i] = versions[i] end
  if ARGV[4] == '1' then
    local changes = redis.call('HGETALL', KEYS[5])
    for i = 1, #changes do result[#result + 1] = changes[i] end
  end
  return result
end

if operation == 'heads' then
  return redis.call('HGETALL', KEYS[3])
end

if operation == 'read' then
  if not known_data then return {'0', '1', '0'} end
  local result = {meta[2], meta[3], meta[4]}
  for n = 1, #ARGV - 3 do
    local group = ARGV[3 + n]
    local all = redis.call('HGETALL', KEYS[5 + n])
    result[#result + 1] = group
    result[#result + 1] = redis.call('HGET', KEYS[4], group) or '0'
    result[#result + 1] = redis.call('HGET', KEYS[5], group) or '0'
    result[#result + 1] = tostring(#all / 2)
    for i = 1, #all, 2 do
      local head = read_head(redis.call('HGET', KEYS[3], group .. ':' .. all[i]))
      local known = cmsgpack.unpack(all[i + 1])
      result[#result + 1] = all[i]
      result[#result + 1] = head.node
      result[#result + 1] = string.format('%.0f', head.sequence)
      result[#result + 1] = head.lost and '1' or '0'
      result[#result + 1] = known.held
      result[#result + 1] = known.taken == known.held and '=' or known.taken or '-'
      result[#result + 1] = known.granted == known.held and '=' or known.granted or '-'
      result[#result + 1] = known.demands
    end
  end
  return result
end

if operation == 'forget' then
  -- NODE, then all groups; the last key is the hash of members (heartbeat.lua).
  local member = redis.call('HGET', KEYS[#KEYS], ARGV[4])
  if member then
    local known = cmsgpack.unpack(member)
    local time = redis.call('TIME')
    local ago = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000 - known[2]
    if ago < known[3] and ago > -60000 then return {'living'} end
  end
  local gone = {}
  local heads = known_data and redis.call('HGETALL', KEYS[3]) or {}
  for i = 1, #heads, 2 do
    local head = read_head(heads[i + 1])
    if head.node == ARGV[4] then
      if not head.lost then return {'living'} end
      gone[#gone + 1] = heads[i]
    end
  end
  local keys = {}
  for i = 5, #ARGV do keys[ARGV[i]] = KEYS[1 + i] end
  for _, field in ipairs(gone) do
    local group, id = string.match(field, '^(%d+):(.*)$')
    redis.call('HDEL', KEYS[3], field)
    redis.call('HDEL', keys[group], id)
    redis.call('HINCRBY', KEYS[5], group, 1)
  end
  redis.call('HDEL', KEYS[#KEYS], ARGV[4])
  return {'forgotten', tostring(#gone), member and '1' or '0'}
end

-- What follows is for the leader.
local stale = fenced()
if stale then return stale end

if operation == 'begin' then
  -- With the keys of all groups.
  if known_data then return {'known'} end
  redis.call('DEL', unpack(KEYS, 3))
  redis.call('HSET', KEYS[2], 'run_id', run_id, 'generation', ARGV[4], 'learning', '1', 'frozen', '0',
             'reported', '0')
  return {'done'}
end

if not known_data or meta[2] ~= ARGV[4] then return {'outdated'} end

if operation == 'learned' then
  if meta[3] == '1' then
    redis.call('HSET', KEYS[2], 'learning', '0', 'frozen', meta[5])
  end
  return {'done'}
end

if operation == 'thawed' then
  redis.call('HSET', KEYS[2], 'frozen', '0')
  return {'done'}
end

if operation == 'plan' then
  -- For each group: GROUP, version, the number of entries; for each entry: what, SESSION, sequence,
  -- shares.
  local result = {'done'}
  local i, n = 5, 0
  while i <= #ARGV do
    local group, version, count = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
    local first, last = i + 3, i + 2 + 4 * count
    i, n = last + 1, n + 1
    local good = (redis.call('HGET', KEYS[4], group) or '0') == version
    for e = first, last, 4 do
      local head = ARGV[e] ~= 'grant' and redis.call('HGET', KEYS[3], group .. ':' .. ARGV[e + 1])
      if ARGV[e] ~= 'grant' and
          (not head or read_head(head).sequence ~= tonumber(ARGV[e + 2])) then
        good = false
      end
    end
    for e = first, good and last or 0, 4 do
      local what, id, text = ARGV[e], ARGV[e + 1], ARGV[e + 3]
      local field = group .. ':' .. id
      local head = redis.call('HGET', KEYS[3], field)
      if what == 'departed' then
        redis.call('HDEL', KEYS[3], field)
        redis.call('HDEL', KEYS[5 + n], id)
      elseif head then
        head = read_head(head)
        local known = cmsgpack.unpack(redis.call('HGET', KEYS[5 + n], id))
        known.granted = text
        if what == 'lost' then head.lost, known.held, known.taken = true, text, text end
        redis.call('HSET', KEYS[5 + n], id, cmsgpack.pack(known))
        redis.call('HSET', KEYS[3], field, head_of(head.sequence, head.lost, head.node))
      end
      if what ~= 'grant' then redis.call('HINCRBY', KEYS[5], group, 1) end
    end
    if good then redis.call('HINCRBY', KEYS[4], group, 1) end
    result[#result + 1] = good and 'done' or 'outdated'
  end
  return result
end

return redis.error_reply('ERR there is no operation ' .. operation)
