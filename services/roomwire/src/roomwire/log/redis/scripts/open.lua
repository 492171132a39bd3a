-- Begins a session. KEYS: log, session. ARGV: epoch, node, format, namespace, subject, data, time to live,
-- the description of its client, its class, prefix, limits of the guard, sid, '1' if its client cannot claim it.
-- Such a session has the field `transient`: publish stores nothing of what is sent to it alone.
-- Returns its position, false if the id exists already, or 'FULL' if the guard refuses it.
if is_stale() then return redis.error_reply(STALE) end
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
if not guard().may_make(ARGV[10], ARGV[11], ARGV[9], 'session', ARGV[12], 1536) then return 'FULL' end
local position = take_position()
redis.call('HSET', KEYS[2], 'v', ARGV[3], 'ns', ARGV[4], 'sub', ARGV[5], 'data', ARGV[6], 'node', ARGV[2],
  'claim', 1, 'epoch', ARGV[1], 'born', ARGV[1], 'start', position, 'known', 0, 'about', ARGV[8], 'class', ARGV[9])
if ARGV[13] == '1' then redis.call('HSET', KEYS[2], 'transient', 1) end
redis.call('PEXPIRE', KEYS[2], ARGV[7])
return position
