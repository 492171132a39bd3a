-- A gateway's first word on a link.
-- KEYS: log. ARGV: the gateway's epoch ('' if none), highest position it knows in any way, two fresh epochs,
-- number of past epochs kept.
-- Returns {1 if all it knows is in the log else 0, epoch, last position}.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local log = to_map(redis.call('HGETALL', KEYS[1]))
local past = {}
for epoch in string.gmatch(log.past or '', '[^,]+') do past[#past + 1] = epoch end

local function end_of(epoch)
  return tonumber(redis.call('HGET', KEYS[1], 'end:' .. epoch) or '-1')
end

local function remember(epoch, position)
  if redis.call('HEXISTS', KEYS[1], 'end:' .. epoch) == 0 then
    past[#past + 1] = epoch
    while #past > tonumber(ARGV[5]) do redis.call('HDEL', KEYS[1], 'end:' .. table.remove(past, 1)) end
    redis.call('HSET', KEYS[1], 'past', table.concat(past, ','))
  end
  redis.call('HSET', KEYS[1], 'end:' .. epoch, position)
end

local current = log.epoch
local function begin(epoch)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'run', run, 'since', now)
  current = epoch
end

local is_fresh = not log.epoch
if log.run ~= run then
  if not is_fresh then remember(log.epoch, log.seq or '0') end
  begin(ARGV[3])
end
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 0)
local mine, known = ARGV[1], tonumber(ARGV[2])
if mine == '' or mine == current then return {1, current, seq} end
if redis.call('HEXISTS', KEYS[1], 'end:' .. mine) == 1 then
  local last = end_of(mine)
  if last >= 0 and known <= last then return {1, current, seq} end
  -- The loss was told to everybody once; an epoch has begun since.
  if last < 0 then return {0, current, seq} end
end
-- Proof of loss: nobody may go on as if nothing had happened.
for _, epoch in ipairs(past) do redis.call('HSET', KEYS[1], 'end:' .. epoch, -1) end
remember(mine, -1)
if not is_fresh then
  remember(current, -1)
  begin(ARGV[4])
end
return {0, current, seq}
