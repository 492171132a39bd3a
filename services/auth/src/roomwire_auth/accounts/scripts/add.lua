-- An account is registered.
-- KEYS: account. ARGV: its fields and values.
-- Returns 1, or 0 if there is one already.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
