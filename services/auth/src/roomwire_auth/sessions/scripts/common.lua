-- Precedes every script of the sessions, after two numbers that Python defines: SESSION_CHARS (how much of a family's
-- digest is the session's id) and CLOCKS_S. KEYS[1] is the stream of revocations, KEYS[2] the key that
-- the script works on.
-- A script learns of the other keys only while it runs, and derives their names from the first; all are in one slot.
-- All of them are touched, several at once, before anything is written: while a cluster moves the slot key by key, Redis
-- refuses such a command if one of them has moved, and then nothing has been done.
local revoked = KEYS[1]
local base = string.sub(revoked, 1, -1 - string.len('revoked'))
local function key(kind, name) return base .. kind .. ':' .. name end

local function touch(user, families)
    local keys = {revoked, key('sessions', user), key('cut', user), key('lives', 'all'), key('guests', 'all')}
    for _, family in ipairs(families) do
        keys[#keys + 1] = key('session', family)
        keys[#keys + 1] = key('repeat', family)
    end
    redis.call('EXISTS', unpack(keys))
end

-- Extends the time to live to the longest that any call asked for.
local function live(name, ttl_s)
    redis.call('EXPIRE', name, ttl_s, 'NX')
    redis.call('EXPIRE', name, ttl_s, 'GT')
end

local function session_of(family) return string.sub(family, 1, SESSION_CHARS) end

-- Guests are counted by the time at which their sessions expire, in at most 26 parts of their time to live: `guests` is a hash, end of a
-- part → sessions. A session has the part in which it is counted. Versions that do not count leave sessions without one.
local function guests(now)
    local count, parts = 0, redis.call('HGETALL', key('guests', 'all'))
    for place = 1, #parts, 2 do
        if tonumber(parts[place]) <= tonumber(now) then
            redis.call('HDEL', key('guests', 'all'), parts[place])
        else
            count = count + tonumber(parts[place + 1])
        end
    end
    return count
end

local function count_guest(family, now, ttl_s, guest_ttl_s)
    local length = math.max(1, math.ceil(guest_ttl_s / 24))
    local part = string.format('%.0f', math.ceil((now + ttl_s) / length) * length)
    local count = tonumber(redis.call('HGET', key('guests', 'all'), part) or 0)
    redis.call('HSET', key('guests', 'all'), part, count + 1)
    redis.call('EXPIRE', key('guests', 'all'), 2 * guest_ttl_s)
    redis.call('HSET', key('session', family), 'part', part)
end

local function uncount_guest(family)
    local part = redis.call('HGET', key('session', family), 'part')
    local count = part and tonumber(redis.call('HGET', key('guests', 'all'), part) or 0) or 0
    if count > 0 then redis.call('HSET', key('guests', 'all'), part, count - 1) end
end

-- A revocation is kept for as long as a token can outlive it: none is dropped for a newer one, which would let its token in again. The
-- number is bounded by what begins sessions: passwords that are hashed, and guests that may come. Entries are removed by their age; the
-- longest life that was asked for lately counts.
local function revoke(kind, id, for_s)
    local known = redis.call('HMGET', key('lives', 'all'), 'lives', 'last')
    local lives, last = math.max(for_s, tonumber(known[1] or 0)), tonumber(known[2] or 0)
    local before = string.format('%.0f', math.max(0, last - 1000 * lives))
    local at = redis.call('XADD', revoked, 'MINID', '~', before, '*', kind, id, 'for_s', for_s)
    redis.call('HSET', key('lives', 'all'), 'lives', lives, 'last', string.match(at, '^%d+'))
    redis.call('EXPIRE', key('lives', 'all'), lives)
    live(revoked, for_s)
    return at
end

local function finish(user, family, for_s)
    uncount_guest(family)
    redis.call('DEL', key('session', family), key('repeat', family))
    redis.call('SREM', key('sessions', user), family)
    revoke('session', session_of(family), for_s)
end

-- Ends all sessions of a user but one; returns their ids.
local function finish_all(user, kept, for_s)
    local families = redis.call('SMEMBERS', key('sessions', user))
    touch(user, families)
    local ended = {}
    for _, family in ipairs(families) do
        if session_of(family) ~= kept then
            finish(user, family, for_s)
            ended[#ended + 1] = session_of(family)
        end
    end
    return ended
end

-- Revokes everything that a user has until now, and returns the second from which new tokens are valid: a revocation
-- includes its own second, and the issuer's clock may be behind.
local function revoke_user(user, for_s)
    local at = revoke('user', user, for_s)
    local from = math.floor(tonumber(string.match(at, '^%d+')) / 1000) + 1
    redis.call('HSET', key('cut', user), 'from', from)
    redis.call('EXPIRE', key('cut', user), CLOCKS_S)
end

local function cut_of(user) return redis.call('HGET', key('cut', user), 'from') or '0' end

-- Returns whether the account with this name is unchanged since its password was checked.
local function is_unchanged(name, id, changes)
    local holder, changed = unpack(redis.call('HMGET', key('account', name), 'id', 'password_changes'))
    return holder == id and (changed or '0') == changes
end
