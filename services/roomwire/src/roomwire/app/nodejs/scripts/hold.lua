-- Takes or extends the lease. KEYS: lease, state of the stream. ARGV: node, time to live of the lease, of the state. Returns whether
-- the node holds the lease, and the state's position and count. What extends needs no memory, so it works while there is none.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return {0} end
if owner then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local state = redis.call('HMGET', KEYS[2], 'position', 'count')
return {1, state[1] or '', state[2] or ''}
