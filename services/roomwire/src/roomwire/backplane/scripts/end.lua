-- The end of a session, its client's own or a kick. KEYS: log, session, its stream.
-- ARGV: epoch, node, sid, claim ('' for whichever it is), prefix. Returns whether there was one.
if is_stale() then return redis.error_reply(STALE) end
local session = redis.call('HMGET', KEYS[2], 'claim', 'node')
if not session[1] or (ARGV[4] ~= '' and ARGV[4] ~= session[1]) then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
if session[2] ~= ARGV[2] then
  redis.call('SPUBLISH', ARGV[5] .. 'node:' .. session[2], 'f' .. ARGV[3] .. ' ' .. (session[1] + 1))
end
return 1
