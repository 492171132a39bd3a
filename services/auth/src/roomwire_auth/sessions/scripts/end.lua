-- Ends the session of a refresh token.
-- KEYS: revoked, session. ARGV: family, lifetime of access tokens in seconds.
-- Returns the user's id, or nothing if the family does not exist.
local family, for_s = unpack(ARGV)
local id = redis.call('HGET', key('session', family), 'id')
if not id then return id end
touch(id, {family})
finish(id, family, for_s)
return id
