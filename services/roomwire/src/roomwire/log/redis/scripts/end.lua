-- Ends a session, because its client disconnected or is kicked. KEYS: log, session, its stream, due.
-- ARGV: epoch, node, sid, claim ('' for any), prefix. Returns whether the session existed.
if is_stale() then return redis.error_reply(STALE) end
local session = to_map(redis.call('HGETALL', KEYS[2]))
if not session.claim or (ARGV[4] ~= '' and ARGV[4] ~= session.claim) then return 0 end
-- Looked up before anything is written: see publish.
local rooms = {}
for stream, intervals in pairs(session) do
  local members = ARGV[5] .. 'members:' .. stream
  if string.find(stream, ':', 1, true) and is_open(intervals) and redis.call('ZSCORE', members, ARGV[3]) then
    rooms[stream] = members
  end
end
redis.call('DEL', KEYS[2], KEYS[3])
pcall(give_back, ARGV[5], string.sub(KEYS[3], #ARGV[5] + 6))
if session.class then redis.call('ZREM', ARGV[5] .. 'made:session:' .. session.class, ARGV[3]) end
for stream, members in pairs(rooms) do unindex(members, KEYS[4], stream, ARGV[3]) end
if session.node ~= ARGV[2] then
  redis.call('SPUBLISH', ARGV[5] .. 'node:' .. session.node, 'f' .. ARGV[3] .. ' ' .. (session.claim + 1))
end
return 1
