-- Looks which of the things that the guard counts still exist, and extends the life of guests' histories in whose rooms somebody is.
-- Sets the bound of the log's streams, which shrinks by what is used beyond the first mark, and settles their sizes.
-- KEYS: log. ARGV: '', prefix, limits (see guard), maximum number of keys to look at.
-- Returns {1 if there may be more, memory used, its limit, histories deleted for others, entries not kept, bytes of large streams or the
-- error if they cannot be measured, the bound of these, streams emptied, then for each of guests,
-- users, services: sessions, rooms that are joined, rooms with messages, bytes of histories}.
local prefix, limits, left, now = ARGV[2], ARGV[3], tonumber(ARGV[4]), now_ms()
local first, _, _, ttl, _, _, guest_ttl_s, log_share = string.match(limits, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)$')
local used, most = guard().look(prefix .. 'guard')

-- The stream of the room that a history belongs to: see history_name.
local function stream_of_history(name)
  if string.sub(name, 1, 1) == '\0' then return string.sub(name, 2) end
  return 'r:/:' .. name
end

local function look_again(kind, class)
  local made = prefix .. 'made:' .. kind .. ':' .. class
  for _, name in ipairs(redis.call('ZRANGEBYSCORE', made, '-inf', now, 'LIMIT', 0, left)) do
    left = left - 1
    local key = prefix .. kind .. ':' .. name
    if redis.call('EXISTS', key) == 1 then
      redis.call('ZADD', made, now + ttl, name)
      if kind == 'history' and class == 'guests' and redis.call('EXISTS', prefix .. 'members:' .. stream_of_history(name)) == 1 then
        redis.call('EXPIRE', key, guest_ttl_s)
        redis.call('ZADD', prefix .. 'kept:' .. class, now, name)
      end
    elseif kind == 'history' then
      guard().discharge(prefix, class, name)
    else
      redis.call('ZREM', made, name)
    end
    if left <= 0 then return end
  end
  if redis.call('EXISTS', made) == 1 then redis.call('PEXPIRE', made, 10 * ttl) end
end

local classes, kinds = {'guests', 'users', 'services'}, {'session', 'members', 'room', 'history'}
for _, class in ipairs(classes) do
  for _, kind in ipairs(kinds) do
    if left > 0 then look_again(kind, class) end
  end
end

local log_max = most > 0 and math.max(1, math.floor(most * log_share - math.max(0, used - most * first))) or 0
redis.call('HSET', prefix .. 'guard', 'log:max', log_max)
local measured = redis.pcall('MEMORY', 'USAGE', KEYS[1])
local sized = sizes()
pcall(sized.settle, prefix)
for _, key in ipairs({'sizes', 'written'}) do redis.call('EXPIRE', prefix .. key, 86400) end

local told = redis.call('HMGET', prefix .. 'guard', 'evicted', 'unkept', 'log:emptied')
local found = {
  left <= 0 and 1 or 0, used, most, tonumber(told[1] or 0), tonumber(told[2] or 0),
  type(measured) == 'table' and measured['err'] or sized.total(prefix), log_max, tonumber(told[3] or 0),
}
for _, class in ipairs(classes) do
  for _, kind in ipairs({'session', 'members', 'room'}) do
    found[#found + 1] = redis.call('ZCARD', prefix .. 'made:' .. kind .. ':' .. class)
  end
  found[#found + 1] = tonumber(redis.call('HGET', prefix .. 'guard', 'histories:' .. class) or 0)
end
return found
