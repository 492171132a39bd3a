-- Joins or leaves a room. KEYS: log, session, members of the stream, due.
-- ARGV: epoch, claim, stream, 'join' or 'leave', maximum number of intervals of a room, sid, time to live of a session;
-- to join also prefix and limits of the guard.
-- A room's intervals are '<joined>-<left>', or '<joined>' for one that lasts, separated by commas.
-- Returns {last position, position of the join or leave}, false if the session has another claim,
-- 'OFTEN' if the room was joined and left too often since the client's last confirmation, or 'FULL' if the guard refuses a new room.
if is_stale() then return redis.error_reply(STALE) end
local session = redis.call('HMGET', KEYS[2], 'claim', 'known', ARGV[3], 'class')
if session[1] ~= ARGV[2] then return false end
local known, kept, joined = tonumber(session[2]), {}, nil
for part in string.gmatch(session[3] or '', '[^,]+') do
  local left = string.match(part, '-(%d+)$')
  if not left then joined = part
  elseif tonumber(left) > known then kept[#kept + 1] = part end
end

if ARGV[4] == 'join' then
  -- A repeated join keeps its interval.
  if joined then return {redis.call('HINCRBY', KEYS[1], 'seq', 0), tonumber(joined)} end
  if #kept >= tonumber(ARGV[5]) then return 'OFTEN' end
  if redis.call('EXISTS', KEYS[3]) == 0 and not guard().may_make(ARGV[8], ARGV[9], session[4] or 'users', 'members', ARGV[3], 256) then
    return 'FULL'
  end
  local position = take_position()
  kept[#kept + 1] = tostring(position)
  redis.call('HSET', KEYS[2], ARGV[3], table.concat(kept, ','))
  index(KEYS[3], KEYS[4], ARGV[3], ARGV[6], now_ms(), ARGV[7])
  return {position, position}
end

local position = take_position()
if joined then kept[#kept + 1] = joined .. '-' .. position end
if #kept > 0 then redis.call('HSET', KEYS[2], ARGV[3], table.concat(kept, ','))
else redis.call('HDEL', KEYS[2], ARGV[3]) end
unindex(KEYS[3], KEYS[4], ARGV[3], ARGV[6])
return {position, position}
