-- The minimal script of a publish, with which the log's script is compared.
-- KEYS: counter, stream. ARGV: the message, the channel. Returns its position.
local p = redis.call('INCR', KEYS[1])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, p .. '-0', 'e', ARGV[1])
redis.call('PEXPIRE', KEYS[2], 200000)
redis.call('SPUBLISH', ARGV[2], ARGV[1])
return p
