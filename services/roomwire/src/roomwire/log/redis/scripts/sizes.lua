-- The bytes of large streams, which precedes the scripts that bound them. Together they have a share of the memory; beyond it, those that
-- were written longest ago are emptied, and clients that missed something there are told: an emptied stream is one that was trimmed.
-- It stays, because an absent stream would prove that there were no messages.
-- `sizes` is a hash: stream → its bytes when it was last measured, `total` → their sum. `written` is a sorted set: stream → the
-- position of its newest entry then. `guard` has the bound (log:max, from recount) and the number of streams that were emptied (log:emptied).
-- Forgets the bytes of a stream that is gone.
local function give_back(prefix, stream)
  local had = redis.call('HGET', prefix .. 'sizes', stream)
  if not had then return end
  redis.call('ZREM', prefix .. 'written', stream)
  redis.call('HDEL', prefix .. 'sizes', stream)
  redis.call('HINCRBY', prefix .. 'sizes', 'total', -had)
end

-- Made only when it is needed, like guard.
local function sizes()
  local SMALL_BYTES, SAMPLES, LOOKS = 16384, 16, 32

  -- Returns the position of the newest entry of a stream, as text; nil if there is none.
  local function last_of(prefix, stream)
    local newest = redis.call('XREVRANGE', prefix .. 'room:' .. stream, '+', '-', 'COUNT', 1)[1]
    return newest and string.match(newest[1], '^%d+')
  end

  -- Notes what a stream occupies, if it is not small. Small ones are the guard's alone, which counts them when they begin.
  local function note(prefix, stream, last)
    local bytes = redis.call('MEMORY', 'USAGE', prefix .. 'room:' .. stream, 'SAMPLES', SAMPLES)
    if not bytes or bytes < SMALL_BYTES then return give_back(prefix, stream) end
    redis.call('ZADD', prefix .. 'written', last, stream)
    local had = tonumber(redis.call('HGET', prefix .. 'sizes', stream) or 0)
    redis.call('HSET', prefix .. 'sizes', stream, bytes)
    redis.call('HINCRBY', prefix .. 'sizes', 'total', bytes - had)
  end

  local function measure(prefix, stream)
    local last = last_of(prefix, stream)
    if last then note(prefix, stream, last) else give_back(prefix, stream) end
  end

  local function total(prefix)
    return tonumber(redis.call('HGET', prefix .. 'sizes', 'total') or 0)
  end

  local function is_too_much(prefix)
    local most = tonumber(redis.call('HGET', prefix .. 'guard', 'log:max') or 0)
    return most > 0 and total(prefix) > most
  end

  -- Looks at the streams that were written longest ago: forgets those that expired, measures again those that were written since, and
  -- empties others while there is too much, but never the only one. One that is as it was measured has not expired, and was written
  -- before all others, so that the rest need no look.
  local function settle(prefix)
    for _ = 1, LOOKS do
      local oldest = redis.call('ZRANGEBYSCORE', prefix .. 'written', '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 2)
      local stream = oldest[1]
      if not stream then return end
      local last = last_of(prefix, stream)
      if not last then
        give_back(prefix, stream)
      elseif tonumber(last) > tonumber(oldest[2]) then
        note(prefix, stream, last)
      elseif oldest[3] and is_too_much(prefix) then
        -- Its last position stays what it was, so that a client which had everything has missed nothing.
        redis.pcall('XADD', prefix .. 'room:' .. stream, 'NOMKSTREAM', 'MAXLEN', '=', 0, last .. '-*', 'e', '')
        give_back(prefix, stream)
        redis.call('HINCRBY', prefix .. 'guard', 'log:emptied', 1)
      else
        return
      end
    end
  end

  return { measure = measure, settle = settle, total = total, is_too_much = is_too_much }
end
