-- Begins a session. KEYS: log, session. ARGV: epoch, node, format, namespace, subject, data, time to live,
-- the description of its client.
-- Returns its position, or false if the id exists already.
if is_stale() then return redis.error_reply(STALE) end
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
local position = take_position()
redis.call('HSET', KEYS[2], 'v', ARGV[3], 'ns', ARGV[4], 'sub', ARGV[5], 'data', ARGV[6], 'node', ARGV[2],
  'claim', 1, 'epoch', ARGV[1], 'born', ARGV[1], 'start', position, 'known', 0, 'about', ARGV[8])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return position
