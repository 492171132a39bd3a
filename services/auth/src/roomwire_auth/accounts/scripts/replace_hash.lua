-- A password that did not change is hashed anew.
-- KEYS: account. ARGV: the hash it has, the hash it gets.
-- Does nothing if it has another hash meanwhile.
if redis.call('HGET', KEYS[1], 'password_hash') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'password_hash', ARGV[2])
end
