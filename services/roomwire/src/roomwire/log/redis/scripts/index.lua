-- The index of members, which precedes the scripts that maintain it. A session's own fields are authoritative; the index
-- finds sessions. `members:<stream>` is a sorted set: session → time of its next check. `due` is another: stream → time
-- of the next check of its first session. Expired sessions are removed at that check, so that nothing of them remains. If
-- no gateway is left to check, both sets expire.
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

-- Returns whether a room's intervals, as a session stores them, make it a member.
local function is_open(intervals)
  return intervals and not string.find(string.match(intervals, '[^,]*$'), '-', 1, true)
end
