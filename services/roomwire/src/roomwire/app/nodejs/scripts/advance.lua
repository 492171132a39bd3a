-- Stores how far a stream was read. KEYS: lease, state of the stream. ARGV: node, position, count, time to live of the state. Returns
-- whether the node holds the lease; otherwise nothing is stored.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'position', ARGV[2], 'count', ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return 1
