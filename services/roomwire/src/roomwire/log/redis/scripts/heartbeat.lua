-- Receipts. KEYS: log, sessions. ARGV: epoch, time to live; then of each session: claim, position that its client has
-- everything up to, 0: nothing was received, 1: the client lives, 2: it answered a ping of this epoch.
-- Never creates a session. Returns {last position, numbers (from 1) of those that are not the caller's}.
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
