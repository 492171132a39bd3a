"""What runs on the primary when sessions begin, go on and end: each script is one step that nobody sees half done.

Owns the Lua of `sessions`, and nothing else. Every script is given two keys: the stream of what was revoked, and the one
that it is about. It learns of the others only while it runs, and makes their names from the first; they are all in one
slot. Before anything is written all are touched, several at once: in a cluster that moves the slot key by key, Redis
refuses that while one of them is on the other side, and then nothing has been done.
"""

from typing import Final

from roomwire.identity.revocations import MAX_REVOCATIONS

SESSION_CHARS: Final = 32
"""How much of a family's digest is the name of its session."""

CLOCKS_S: Final = 60
"""How far the clocks of those who issue and check tokens may differ from those of Redis, in seconds."""

_PRELUDE: Final = f"""
local revoked = KEYS[1]
local base = string.sub(revoked, 1, -1 - string.len('revoked'))
local function key(kind, name) return base .. kind .. ':' .. name end

local function touch(user, families)
    local keys = {{revoked, key('sessions', user), key('cut', user)}}
    for _, family in ipairs(families) do
        keys[#keys + 1] = key('session', family)
        keys[#keys + 1] = key('repeat', family)
    end
    redis.call('EXISTS', unpack(keys))
end

-- As long as the longest that was asked for.
local function live(name, ttl_s)
    redis.call('EXPIRE', name, ttl_s, 'NX')
    redis.call('EXPIRE', name, ttl_s, 'GT')
end

local function session_of(family) return string.sub(family, 1, {SESSION_CHARS}) end

local function revoke(kind, id, for_s)
    local at = redis.call('XADD', revoked, 'MAXLEN', '~', {MAX_REVOCATIONS}, '*', kind, id, 'for_s', for_s)
    live(revoked, for_s)
    return at
end

local function finish(user, family, for_s)
    redis.call('DEL', key('session', family), key('repeat', family))
    redis.call('SREM', key('sessions', user), family)
    revoke('session', session_of(family), for_s)
end

-- Ends all sessions of a user but one; returns their names.
local function finish_all(user, kept, for_s)
    local families = redis.call('SMEMBERS', key('sessions', user))
    touch(user, families)
    local ended = {{}}
    for _, family in ipairs(families) do
        if session_of(family) ~= kept then
            finish(user, family, for_s)
            ended[#ended + 1] = session_of(family)
        end
    end
    return ended
end

-- Revokes all that a user has until now, and says from which second on tokens are issued that hold: a revocation takes
-- those of its own second, and the clock of who issues may be behind.
local function revoke_user(user, for_s)
    local at = revoke('user', user, for_s)
    local from = math.floor(tonumber(string.match(at, '^%d+')) / 1000) + 1
    redis.call('HSET', key('cut', user), 'from', from)
    redis.call('EXPIRE', key('cut', user), {CLOCKS_S})
end

local function cut_of(user) return redis.call('HGET', key('cut', user), 'from') or '0' end

-- Says whether the account of this name is still this one, with the password that was checked.
local function is_unchanged(name, id, changes)
    local holder, changed = unpack(redis.call('HMGET', key('account', name), 'id', 'password_changes'))
    return holder == id and (changed or '0') == changes
end
"""

# KEYS revoked, session; ARGV family, digest of its token, time to live and the time in seconds, the user's id, name
# and kind, the most sessions of a user, how long access tokens may last, the account's name and changes of its
# password (empty: a guest); returns {'opened', cut, sessions that were ended for it}, or {'changed'} if the account
# is not what it was.
OPEN: Final = (
    _PRELUDE
    + """
local family, good, ttl_s, now, id, name, kind, most, for_s, account, changes = unpack(ARGV)
local index = key('sessions', id)
local families = redis.call('SMEMBERS', index)
touch(id, {family, unpack(families)})
if account ~= '' and not is_unchanged(account, id, changes) then return {'changed'} end
local living = {}
for _, one in ipairs(families) do
    local is_good, used = unpack(redis.call('HMGET', key('session', one), 'good', 'used'))
    if is_good then
        living[#living + 1] = {family = one, used = tonumber(used or 0)}
    else
        redis.call('SREM', index, one)
    end
end
table.sort(living, function(one, other) return one.used < other.used end)
local answer = {'opened', cut_of(id)}
for place = 1, #living - tonumber(most) + 1 do
    finish(id, living[place].family, for_s)
    answer[#answer + 1] = session_of(living[place].family)
end
redis.call('HSET', key('session', family), 'good', good, 'id', id, 'name', name, 'kind', kind, 'created', now, 'used', now)
redis.call('EXPIRE', key('session', family), ttl_s)
redis.call('SADD', index, family)
live(index, ttl_s)
return answer
"""
)

# KEYS revoked, session; ARGV family, digest presented, digest of the next, times to live of accounts and guests in
# seconds, nonce of the next, grace and the time in seconds, how long access tokens may last; returns an outcome, and
# unless that is 'unknown', {outcome, id, name, kind, nonce, cut}.
ROTATE: Final = (
    _PRELUDE
    + """
local family, presented, next_good, account_ttl_s, guest_ttl_s, fresh, grace_s, now, for_s = unpack(ARGV)
local session, again = key('session', family), key('repeat', family)
local good, id, name, kind, created = unpack(redis.call('HMGET', session, 'good', 'id', 'name', 'kind', 'created'))
if not good then return {'unknown'} end
touch(id, {family})
if good ~= presented then
    local used, following, nonce = unpack(redis.call('HMGET', again, 'used', 'next', 'nonce'))
    if used == presented and following == good then return {'repeated', id, name, kind, nonce, cut_of(id)} end
    finish(id, family, for_s)
    return {'reused', id}
end
local ttl_s = kind == 'guest' and guest_ttl_s or account_ttl_s
redis.call('HSET', session, 'good', next_good, 'used', now, 'created', created or now)
redis.call('EXPIRE', session, ttl_s)
redis.call('SADD', key('sessions', id), family)
live(key('sessions', id), ttl_s)
redis.call('DEL', again)
if tonumber(grace_s) > 0 then
    redis.call('HSET', again, 'used', presented, 'next', next_good, 'nonce', fresh)
    redis.call('EXPIRE', again, grace_s)
end
return {'rotated', id, name, kind, fresh, cut_of(id)}
"""
)

# KEYS revoked, session; ARGV family, how long access tokens may last; returns the user's id, or nothing if there was
# no such family.
END: Final = (
    _PRELUDE
    + """
local family, for_s = unpack(ARGV)
local id = redis.call('HGET', key('session', family), 'id')
if not id then return id end
touch(id, {family})
finish(id, family, for_s)
return id
"""
)

# KEYS revoked, sessions; ARGV the user's id; returns {family, created, used} of each session that lasts.
LIST: Final = (
    _PRELUDE
    + """
local found, families = {}, redis.call('SMEMBERS', key('sessions', ARGV[1]))
touch(ARGV[1], families)
for _, family in ipairs(families) do
    local good, created, used = unpack(redis.call('HMGET', key('session', family), 'good', 'created', 'used'))
    if good then found[#found + 1] = {family, created or '0', used or '0'} end
end
return found
"""
)

# KEYS revoked, sessions; ARGV the user's id, the session's name, how long access tokens may last; returns whether the
# user had that session.
END_NAMED: Final = (
    _PRELUDE
    + """
local user, session, for_s = unpack(ARGV)
local families = redis.call('SMEMBERS', key('sessions', user))
touch(user, families)
for _, family in ipairs(families) do
    if session_of(family) == session and redis.call('EXISTS', key('session', family)) == 1 then
        finish(user, family, for_s)
        return 1
    end
end
return 0
"""
)

# KEYS revoked, sessions; ARGV the user's id, how long access tokens may last; returns the sessions that it ended.
END_ALL: Final = (
    _PRELUDE
    + """
local user, for_s = unpack(ARGV)
local ended = finish_all(user, '', for_s)
revoke_user(user, for_s)
return ended
"""
)

# KEYS revoked, account; ARGV the account's name and id, changes of its password until now, the new hash, the session
# that goes on, how long access tokens may last; returns {'changed', sessions that it ended}, or {'other'} if the
# account is not what it was.
CHANGE_PASSWORD: Final = (
    _PRELUDE
    + """
local name, id, changes, hash, kept, for_s = unpack(ARGV)
if not is_unchanged(name, id, changes) then return {'other'} end
local ended = finish_all(id, kept, for_s)
redis.call('HSET', key('account', name), 'password_hash', hash, 'password_changes', tonumber(changes) + 1)
return {'changed', unpack(ended)}
"""
)

# KEYS revoked, account; ARGV the account's name and id, changes of its password until now, how long access tokens may
# last; returns as CHANGE_PASSWORD does.
DELETE_ACCOUNT: Final = (
    _PRELUDE
    + """
local name, id, changes, for_s = unpack(ARGV)
if not is_unchanged(name, id, changes) then return {'other'} end
local ended = finish_all(id, '', for_s)
redis.call('DEL', key('account', name))
revoke_user(id, for_s)
return {'changed', unpack(ended)}
"""
)
