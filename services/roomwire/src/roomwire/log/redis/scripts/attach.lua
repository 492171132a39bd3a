-- The first call of a gateway on a link.
-- KEYS: log. ARGV: the gateway's epoch ('' if none), the highest position that it knows in any way, the suffix of a new
-- epoch, the number of past epochs to keep.
-- An epoch is the time in ms at which it began, 11 hexadecimal digits, and a random suffix: epochs are ordered as texts.
-- `end:<epoch>` is its last position; ' broken' follows if a gateway knew later positions.
-- Returns {1 if the log has everything that the gateway knows, else 0, epoch, last position}.
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local mine, known = ARGV[1], tonumber(ARGV[2])
local log = to_map(redis.call('HGETALL', KEYS[1]))
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 0)
local current, ends = log.epoch, {}
for field, value in pairs(log) do
  local epoch = string.match(field, '^end:(.*)$')
  if epoch then ends[epoch] = value end
end

local function time_of(epoch)
  return tonumber(string.sub(epoch or '', 1, 11), 16) or 0
end

-- Clocks can go back; epochs must not.
local function begin()
  local now = now_ms()
  local stamp = math.max(now, time_of(current) + 1, time_of(mine) + 1)
  current = string.format('%011x', stamp) .. ARGV[3]
  redis.call('HSET', KEYS[1], 'epoch', current, 'run', run, 'since', now)
end

local function remember()
  local epochs = {}
  for epoch in pairs(ends) do epochs[#epochs + 1] = epoch end
  table.sort(epochs)
  for i, epoch in ipairs(epochs) do
    if i <= #epochs - tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], 'end:' .. epoch)
    else redis.call('HSET', KEYS[1], 'end:' .. epoch, ends[epoch]) end
  end
end

if log.run ~= run then
  if current then
    ends[current] = tostring(seq)
    remember()
  end
  begin()
end
if mine == '' or mine == current then return {1, current, seq} end
local last, is_broken = end_of(ends[mine])
-- If entries were lost, all clients were told of it already, unless more was lost than was known then.
if last and known <= last then return {is_broken and 0 or 1, current, seq} end
-- A loss is proved: no client may continue as if nothing had happened.
ends[current], ends[mine] = tostring(seq), tostring(known)
for epoch, value in pairs(ends) do ends[epoch] = string.match(value, '^%d+') .. ' broken' end
remember()
begin()
return {0, current, seq}
