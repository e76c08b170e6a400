-- SPDX-License-Identifier: BSD-3-Clause
-- Leased shares: what nodes hold and what the leader grants, each call one step. share_allocator.h and
-- share_holder.h describe the protocol; the lease simulation of the tests models these calls.
--
-- KEYS[1]  the leader's hash (epoch); KEYS[2] a hash: run_id (of the Redis process whose data these
--          are), generation, learning, frozen, version; KEYS[3] a hash of packed sessions by name.
-- ARGV[1]  the epoch of the leader that asks, or 0; ARGV[2] operation; ARGV[3] run_id.
--
-- If Redis restarts with older data, or a replica that lags takes over, another process answers, and
-- what it has stored of leases is not trusted.
local epoch, operation, run_id = ARGV[1], ARGV[2], ARGV[3]
local meta = redis.call('HMGET', KEYS[2], 'run_id', 'generation', 'learning', 'frozen', 'version')

local function fenced()
  local present = redis.call('HGET', KEYS[1], 'epoch') or '0'
  if present ~= epoch then
    return redis.error_reply('FENCED epoch ' .. epoch .. ' is over: the present one is ' .. present)
  end
end

if operation == 'exchange' then
  local id, node, sequence, generation, held, leased, demands = unpack(ARGV, 4)
  if meta[1] ~= run_id then return {'unknown', '0'} end
  if meta[2] ~= generation then return {'unknown', meta[2]} end
  local packed = redis.call('HGET', KEYS[3], id)
  local granted
  if packed then
    local known = cmsgpack.unpack(packed)
    if tonumber(sequence) <= known.sequence then return {'stale', meta[2]} end
    if known.lost and leased == '1' then return {'lost', meta[2]} end
    granted = known.granted
  elseif meta[3] ~= '1' and held ~= '' then
    return {'forgotten', meta[2]}
  end
  redis.call('HSET', KEYS[3], id, cmsgpack.pack({node = node, sequence = tonumber(sequence),
    held = held, taken = granted, granted = granted, lost = false, demands = demands}))
  return {'renewed', meta[2], granted or '-',
          redis.call('HGET', KEYS[1], 'epoch') or '0'}
end

if operation == 'leave' then
  redis.call('HDEL', KEYS[3], ARGV[4])
  return {'left'}
end

if operation == 'snapshot' then
  if ARGV[4] ~= '' then
    local stale = fenced()
    if stale then return stale end
    if meta[1] ~= run_id then
      redis.call('DEL', KEYS[3])
      redis.call('HSET', KEYS[2], 'run_id', run_id, 'generation', ARGV[4], 'learning', '1',
                 'frozen', '0', 'version', '1')
      meta = {run_id, ARGV[4], '1', '0', '1'}
    end
  elseif meta[1] ~= run_id then
    return {'0', '1', '0', '0'}
  end
  local result = {meta[2], meta[3], meta[4], meta[5]}
  local all = redis.call('HGETALL', KEYS[3])
  for i = 1, #all, 2 do
    local known = cmsgpack.unpack(all[i + 1])
    for _, text in ipairs({all[i], known.node, string.format('%.0f', known.sequence), known.held,
                           known.taken or '-', known.granted or '-', known.lost and '1' or '0',
                           known.demands}) do
      result[#result + 1] = text
    end
  end
  return result
end

if operation == 'plan' then
  local stale = fenced()
  if stale then return stale end
  local generation, version, learned, frozen = unpack(ARGV, 4, 7)
  if meta[1] ~= run_id or meta[2] ~= generation or meta[5] ~= version then return {'outdated'} end
  for i = 8, #ARGV, 4 do
    local what, id, sequence = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if what ~= 'grant' then
      local packed = redis.call('HGET', KEYS[3], id)
      if not packed or cmsgpack.unpack(packed).sequence ~= tonumber(sequence) then
        return {'outdated'}
      end
    end
  end
  for i = 8, #ARGV, 4 do
    local what, id, text = ARGV[i], ARGV[i + 1], ARGV[i + 3]
    local packed = redis.call('HGET', KEYS[3], id)
    if what == 'departed' then
      redis.call('HDEL', KEYS[3], id)
    elseif packed then
      local known = cmsgpack.unpack(packed)
      known.granted = text
      if what == 'lost' then known.lost, known.held, known.taken = true, text, text end
      redis.call('HSET', KEYS[3], id, cmsgpack.pack(known))
    end
  end
  if learned == '1' then redis.call('HSET', KEYS[2], 'learning', '0') end
  redis.call('HSET', KEYS[2], 'frozen', frozen)
  redis.call('HINCRBY', KEYS[2], 'version', 1)
  return {'done'}
end

return redis.error_reply('ERR there is no operation ' .. operation)
