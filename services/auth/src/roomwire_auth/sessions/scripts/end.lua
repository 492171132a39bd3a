-- A session ends, by one of its tokens.
-- KEYS: revoked, session. ARGV: family, how long access tokens may last.
-- Returns the user's id, or nothing if there was no such family.
local family, for_s = unpack(ARGV)
local id = redis.call('HGET', key('session', family), 'id')
if not id then return id end
touch(id, {family})
finish(id, family, for_s)
return id
