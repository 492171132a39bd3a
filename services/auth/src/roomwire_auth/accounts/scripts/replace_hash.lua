-- Replaces the hash of a password that did not change.
-- KEYS: account. ARGV: the present hash, the new hash.
-- Does nothing if the account's hash has changed meanwhile.
if redis.call('HGET', KEYS[1], 'password_hash') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'password_hash', ARGV[2])
end
