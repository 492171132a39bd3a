-- Stores session data. KEYS: log, session. ARGV: epoch, claim, data. Returns whether the session has this claim.
if is_stale() then return redis.error_reply(STALE) end
if redis.call('HGET', KEYS[2], 'claim') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[2], 'data', ARGV[3])
return 1
