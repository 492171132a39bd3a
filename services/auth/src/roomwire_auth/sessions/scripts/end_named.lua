-- Ends a session by its id.
-- KEYS: revoked, sessions. ARGV: the user's id, the session's id, lifetime of access tokens in seconds.
-- Returns whether the user had that session.
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
