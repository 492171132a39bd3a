-- Stores receipts. KEYS: log, sessions. ARGV: epoch, time to live; then for each session: claim, position up to which its
-- client has everything, and 0 if nothing was received, 1 if the client is alive, 2 if it answered a ping of this epoch.
-- Never creates a session. Returns {last position, numbers (from 1) of sessions that the caller does not hold}.
if is_stale() then return redis.error_reply(STALE) end
local fenced = {}
for i = 1, #KEYS - 1 do
  local key, at = KEYS[i + 1], 3 * i
  local session = redis.call('HMGET', key, 'claim', 'known')
  if session[1] ~= ARGV[at] then
    fenced[#fenced + 1] = i
  elseif ARGV[at + 2] ~= '0' then
    if tonumber(ARGV[at + 1]) > tonumber(session[2]) then redis.call('HSET', key, 'known', ARGV[at + 1]) end
    if ARGV[at + 2] == '2' then redis.call('HSET', key, 'epoch', ARGV[1]) end
    redis.call('PEXPIRE', key, ARGV[2])
  end
end
return {redis.call('HINCRBY', KEYS[1], 'seq', 0), fenced}
