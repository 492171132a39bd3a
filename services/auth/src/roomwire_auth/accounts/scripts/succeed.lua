-- Forgets the failures of an account at an address, and marks the address as known to it.
-- KEYS: count of the pair, its mark. ARGV: the mark's time to live in seconds.
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'known', 1)
redis.call('EXPIRE', KEYS[2], ARGV[1])
