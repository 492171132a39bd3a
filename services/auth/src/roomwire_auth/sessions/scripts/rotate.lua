-- Exchanges a refresh token for the next.
-- KEYS: revoked, session. ARGV: family, digest of the presented token, digest of the next, times to live of accounts and
-- guests in seconds, nonce of the next token, grace period and the time in seconds, lifetime of access tokens in seconds.
-- Returns {'unknown'}, {'reused', id}, or {'rotated' or 'repeated', id, name, kind, nonce, cut}.
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
if kind == 'guest' then
    uncount_guest(family)
    count_guest(family, now, guest_ttl_s, guest_ttl_s)
end
redis.call('SADD', key('sessions', id), family)
live(key('sessions', id), ttl_s)
redis.call('DEL', again)
if tonumber(grace_s) > 0 then
    redis.call('HSET', again, 'used', presented, 'next', next_good, 'nonce', fresh)
    redis.call('EXPIRE', again, grace_s)
end
return {'rotated', id, name, kind, fresh, cut_of(id)}
