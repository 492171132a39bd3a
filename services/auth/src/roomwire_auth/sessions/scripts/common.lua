-- Precedes every script of the sessions, after three numbers that Python defines: SESSION_CHARS (how much of a family's
-- digest is the session's id), MAX_REVOCATIONS and CLOCKS_S. KEYS[1] is the stream of revocations, KEYS[2] the key that
-- the script works on.
-- A script learns of the other keys only while it runs, and derives their names from the first; all are in one slot.
-- All of them are touched, several at once, before anything is written: while a cluster moves the slot key by key, Redis
-- refuses such a command if one of them has moved, and then nothing has been done.
local revoked = KEYS[1]
local base = string.sub(revoked, 1, -1 - string.len('revoked'))
local function key(kind, name) return base .. kind .. ':' .. name end

local function touch(user, families)
    local keys = {revoked, key('sessions', user), key('cut', user)}
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

local function revoke(kind, id, for_s)
    local at = redis.call('XADD', revoked, 'MAXLEN', '~', MAX_REVOCATIONS, '*', kind, id, 'for_s', for_s)
    live(revoked, for_s)
    return at
end

local function finish(user, family, for_s)
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
