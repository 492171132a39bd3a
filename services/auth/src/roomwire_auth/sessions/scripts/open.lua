-- Begins a session.
-- KEYS: revoked, session. ARGV: family, digest of its token, time to live and the time in seconds, the user's id, name and
-- kind, the maximum number of sessions of a user, lifetime of access tokens in seconds, the account's name and number of
-- password changes (empty for a guest), the maximum number of guests (0 for no limit), time to live of guests in seconds.
-- Returns {'full'} if there are so many guests, {'opened', cut, sessions that were ended for it}, or {'changed'} if the account has changed.
local family, good, ttl_s, now, id, name, kind, most, for_s, account, changes, most_guests, guest_ttl_s = unpack(ARGV)
local index = key('sessions', id)
local families = redis.call('SMEMBERS', index)
touch(id, {family, unpack(families)})
if account ~= '' and not is_unchanged(account, id, changes) then return {'changed'} end
if tonumber(most_guests) > 0 and guests(now) >= tonumber(most_guests) then return {'full'} end
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
if kind == 'guest' then count_guest(family, now, ttl_s, guest_ttl_s) end
redis.call('SADD', index, family)
live(index, ttl_s)
return answer
