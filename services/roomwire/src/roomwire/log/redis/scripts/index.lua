-- The index of members, before the scripts that keep it. What a session says of its rooms is true; this finds sessions.
-- `members:<stream>` is a sorted set: session → when it has to be looked at again; `due` another one: stream → when its
-- first session has to be. Whoever has expired is taken out by then, so that nothing of it stays; and where no gateway
-- is left to look, both expire.
local function keep(key, ttl)
  redis.call('PEXPIRE', key, 10 * ttl)
end

local function index(members, due, stream, sid, now, ttl)
  redis.call('ZADD', members, now + ttl, sid)
  redis.call('ZADD', due, 'LT', now + ttl, stream)
  keep(members, ttl)
  keep(due, ttl)
end

local function unindex(members, due, stream, sid)
  redis.call('ZREM', members, sid)
  if redis.call('EXISTS', members) == 0 then redis.call('ZREM', due, stream) end
end

-- Whether a room's intervals, as a session has them, say that it is a member.
local function is_open(intervals)
  return intervals and not string.find(string.match(intervals, '[^,]*$'), '-', 1, true)
end
