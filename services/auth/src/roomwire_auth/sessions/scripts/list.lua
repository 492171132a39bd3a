-- Lists the sessions of a user.
-- KEYS: revoked, sessions. ARGV: the user's id.
-- Returns {family, created, used} of each session that has not ended.
local found, families = {}, redis.call('SMEMBERS', key('sessions', ARGV[1]))
touch(ARGV[1], families)
for _, family in ipairs(families) do
    local good, created, used = unpack(redis.call('HMGET', key('session', family), 'good', 'created', 'used'))
    if good then found[#found + 1] = {family, created or '0', used or '0'} end
end
return found
