-- Checks the members that are due. KEYS: log, due. ARGV: prefix, maximum number of sessions to check, time to live of a
-- session. Returns 1 if there may be more.
local now, left = now_ms(), tonumber(ARGV[2])
for _, stream in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, left)) do
  local members = ARGV[1] .. 'members:' .. stream
  local sids = redis.call('ZRANGEBYSCORE', members, '-inf', now, 'LIMIT', 0, left)
  for _, sid in ipairs(sids) do
    if is_open(redis.call('HGET', ARGV[1] .. 'session:' .. sid, stream)) then
      redis.call('ZADD', members, now + ARGV[3], sid)
    else
      redis.call('ZREM', members, sid)
    end
  end
  local first = redis.call('ZRANGEBYSCORE', members, '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if first[2] then
    redis.call('ZADD', KEYS[2], first[2], stream)
    keep(members, ARGV[3])
    keep(KEYS[2], ARGV[3])
  else
    redis.call('ZREM', KEYS[2], stream)
  end
  left = left - math.max(#sids, 1)
  if left <= 0 then return 1 end
end
return 0
