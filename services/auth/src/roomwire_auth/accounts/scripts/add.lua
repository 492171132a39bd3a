-- Registers an account.
-- KEYS: account. ARGV: the account's fields and values.
-- Returns 1, or 0 if the account exists already.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV))
return 1
