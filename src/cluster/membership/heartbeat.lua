-- SPDX-License-Identifier: BSD-3-Clause
-- A node's heartbeat, the election and the view of the cluster in one step. membership_scripts.h has
-- keys, arguments and reply. Redis's own time is the only clock.
local leader, members, config = KEYS[1], KEYS[2], KEYS[3]
local id, incarnation, lease, seen, state, record, applied, dataset, forget = unpack(ARGV)
lease, seen, applied, forget = tonumber(lease), tonumber(seen), tonumber(applied), tonumber(forget)
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local most_lease = 60000

-- One process a node id. A heartbeat in the future is from before Redis's clock was set back.
local packed = redis.call('HGET', members, id)
if packed then
  local other = cmsgpack.unpack(packed)
  local ago = now - other[2]
  if other[1] ~= incarnation and ago < other[3] and ago > -most_lease then
    return redis.error_reply('FENCED node id "' .. id .. '" is in use by another node: incarnation '
      .. other[1] .. ' was seen ' .. ago .. ' ms ago')
  end
end

-- The first heartbeat after Redis lost its data begins a new data set. It is recovering until the
-- nodes have had time to report what they have applied (configuration_scripts.h). `tip` is the id
-- of the last change.
local head = redis.call('HMGET', config, 'dataset', 'revision', 'tip', 'floor', 'unsettled_ms')
if not head[1] then
  head = {now .. '-' .. incarnation, '0', '', '0', tostring(now)}
  redis.call('HSET', config, 'dataset', head[1], 'revision', '0', 'tip', '', 'floor', '0',
    'unsettled_ms', head[5])
end
if applied > tonumber(head[2]) then
  if applied > tonumber(head[4]) then
    head[4] = ARGV[7]
    redis.call('HSET', config, 'floor', ARGV[7])
  end
  if dataset == head[1] and head[5] == '' then
    head[5] = tostring(now)  -- The same data set, but older: a snapshot, or a replica that lagged.
    redis.call('HSET', config, 'unsettled_ms', head[5])
  end
end
if head[5] ~= '' and tonumber(head[5]) > now then
  head[5] = tostring(now)  -- Redis's clock was set back: it would recover for as long.
  redis.call('HSET', config, 'unsettled_ms', head[5])
end

-- The lease. Its epoch only grows: a node that has seen a higher one than Redis has raises it.
local held = redis.call('HMGET', leader, 'epoch', 'id', 'incarnation', 'ends_ms')
local epoch, holder, holder_incarnation = tonumber(held[1] or '0'), held[2] or '', held[3] or ''
local ends = tonumber(held[4] or '0')
if seen > epoch then
  epoch, holder, holder_incarnation, ends = seen, '', '', 0
end
if ends > now + most_lease then ends = 0 end
if holder_incarnation == incarnation and state ~= 'up' then
  holder, holder_incarnation, ends = '', '', 0
elseif holder_incarnation == incarnation and ends > now then
  ends = now + lease
elseif ends <= now and state == 'up' then
  epoch, holder, holder_incarnation, ends = epoch + 1, id, incarnation, now + lease
end
redis.call('HSET', leader, 'epoch', epoch, 'id', holder, 'incarnation', holder_incarnation,
  'ends_ms', ends)

redis.call('HSET', members, id, cmsgpack.pack({incarnation, now, lease, state, applied, record}))
local all = redis.call('HGETALL', members)
local list = {}
for i = 1, #all, 2 do
  local member = cmsgpack.unpack(all[i + 1])
  local ago = now - member[2]
  if ago > forget or ago < -most_lease then
    redis.call('HDEL', members, all[i])
  else
    list[#list + 1] = {all[i], member[1], ago, member[3], member[4], member[6]}
  end
end
local recovering = -1
if head[5] ~= '' then recovering = math.max(0, now - tonumber(head[5])) end
return {now, epoch, holder, holder_incarnation, ends - now,
  {head[1], tonumber(head[2]), head[3], tonumber(head[4]), recovering}, list}
