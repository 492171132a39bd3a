-- The guard of the primary's memory, which precedes the scripts that make keys. It works only when a key is new, and is made
-- only then, because what a script defines costs each of its calls. Sessions, rooms and
-- histories are counted by the class of their clients ('guests', 'users', 'services'), and new ones are refused before memory runs out.
-- `guard` is a hash: the memory that was used and the limit when they were last looked at, the bytes that may be made until the next
-- look, and the bytes of histories (kept). `made:<kind>:<class>` is a sorted set: name of a key of that kind → when recount looks
-- whether it still exists. Gateways of earlier versions count nothing; their sessions have no class and are taken for users'.
-- LIMITS: the shares of the limit from which nothing new is made for guests, and for users; the guests' share of it; the time to live of
-- a session; then those of histories. An empty text switches the guard off.
local is_made
local function guard()
  if is_made then return is_made end
  local WEIGHTS = {session = 1536, members = 256, room = 8192}
  local LOOK_BYTES, LOOKS = 65536, 256

  local function look(guard)
    local info = redis.call('INFO', 'memory')
    local used = tonumber(string.match(info, 'used_memory:(%d+)'))
    used = used - tonumber(string.match(info, 'mem_not_counted_for_evict:(%d+)') or 0)
    local most = tonumber(string.match(info, 'maxmemory:(%d+)'))
    redis.call('HSET', guard, 'used', used, 'max', most, 'left', math.max(LOOK_BYTES, math.floor(most / LOOKS)))
    return used, most
  end

  local function held_by(prefix, class)
    local held = tonumber(redis.call('HGET', prefix .. 'guard', 'histories:' .. class) or 0)
    for kind, weight in pairs(WEIGHTS) do
      held = held + weight * redis.call('ZCARD', prefix .. 'made:' .. kind .. ':' .. class)
    end
    return held
  end

  local function has_room(prefix, limits, class, bytes)
    local first, second, share = string.match(limits, '^(%S+) (%S+) (%S+)')
    local guard = prefix .. 'guard'
    local seen = redis.call('HMGET', guard, 'used', 'max', 'left')
    local used, most, left = tonumber(seen[1]), tonumber(seen[2]), tonumber(seen[3] or 0) - bytes
    if left <= 0 then used, most = look(guard) else redis.call('HSET', guard, 'left', left) end
    if most == 0 or class == 'services' then return true end
    if class == 'users' then return used < most * second end
    return used < most * first and held_by(prefix, 'guests') < most * share
  end

  local function count_made(prefix, limits, class, kind, name)
    local ttl = tonumber(string.match(limits, '^%S+ %S+ %S+ (%d+)'))
    local made = prefix .. 'made:' .. kind .. ':' .. class
    redis.call('ZADD', made, now_ms() + ttl, name)
    redis.call('PEXPIRE', made, 10 * ttl)
  end

  -- Returns whether a new key may be made, and counts it. What cannot be counted is made: a user without these rights, a slot on its way.
  local function may_make(prefix, limits, class, kind, name, bytes)
    if limits == '' then return true end
    local is_known, may = pcall(has_room, prefix, limits, class, bytes)
    if is_known and not may then return false end
    pcall(count_made, prefix, limits, class, kind, name)
    return true
  end

  -- Returns the class of the clients in a room, the best among a few of them; nil if nobody is there.
  local function class_of_members(prefix, stream)
    local members, best = prefix .. 'members:' .. stream, nil
    local some = redis.call('ZREVRANGE', members, 0, 3)
    for _, sid in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', '+inf', 'LIMIT', 0, 4)) do some[#some + 1] = sid end
    for _, sid in ipairs(some) do
      local class = redis.call('HGET', prefix .. 'session:' .. sid, 'class') or 'users'
      if class ~= 'guests' then return class end
      best = class
    end
    return best
  end

  -- Returns whether the stream of a publish may be made. In a room with members it always may: members speak on. A room that nobody is
  -- in is a stranger's.
  local function may_begin(prefix, limits, stream, bytes)
    if limits == '' or string.sub(stream, 1, 2) == 'n:' then return true end
    local is_known, class = pcall(class_of_members, prefix, stream)
    if string.sub(stream, 1, 2) == 's:' then
      is_known, class = pcall(redis.call, 'HGET', prefix .. 'session:' .. string.sub(stream, 3), 'class')
      class = class or 'users'
    end
    if not is_known then return true end
    if class then
      pcall(count_made, prefix, limits, class, 'room', stream)
      return true
    end
    return may_make(prefix, limits, 'guests', 'room', stream, bytes + 4096)
  end

  -- Histories: their bytes are counted in blocks (see kept). Those of a class have their share of the memory; beyond it, the ones that were
  -- used longest ago are deleted. `kept:<class>` is a sorted set: name → when it was charged last; `kept` is a hash: name → the bytes
  -- that it was charged.
  local BLOCK_BYTES = 8192

  -- Forgets the charges of a history that is gone.
  local function discharge(prefix, class, name)
    local charged = tonumber(redis.call('HGET', prefix .. 'kept', name) or 0)
    redis.call('HDEL', prefix .. 'kept', name)
    redis.call('ZREM', prefix .. 'kept:' .. class, name)
    redis.call('ZREM', prefix .. 'made:history:' .. class, name)
    return redis.call('HINCRBY', prefix .. 'guard', 'histories:' .. class, -charged)
  end

  local function charge(prefix, limits, class, name, bytes)
    local share, of_room = string.match(limits, '^%S+ %S+ %S+ %S+ (%S+) (%d+)')
    local had = tonumber(redis.call('HGET', prefix .. 'kept', name) or 0)
    local more = math.max(0, math.min(bytes, tonumber(of_room) + BLOCK_BYTES - had))
    redis.call('HINCRBY', prefix .. 'kept', name, more)
    redis.call('ZADD', prefix .. 'kept:' .. class, now_ms(), name)
    local total = redis.call('HINCRBY', prefix .. 'guard', 'histories:' .. class, more)
    count_made(prefix, limits, class, 'history', name)
    local most = tonumber(redis.call('HGET', prefix .. 'guard', 'max') or 0) * share
    -- Several at most: what is charged at once is small.
    for _ = 1, 16 do
      if most == 0 or total <= most then return end
      local oldest = redis.call('ZRANGEBYSCORE', prefix .. 'kept:' .. class, '-inf', '+inf', 'LIMIT', 0, 1)[1]
      if not oldest or oldest == name then return end
      redis.call('DEL', prefix .. 'history:' .. oldest)
      redis.call('HINCRBY', prefix .. 'guard', 'evicted', 1)
      total = discharge(prefix, class, oldest)
    end
  end


  is_made = {
    look = look, has_room = has_room, may_make = may_make, class_of_members = class_of_members, may_begin = may_begin,
    charge = charge, discharge = discharge,
  }
  return is_made
end
