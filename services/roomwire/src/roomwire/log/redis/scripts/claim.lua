-- Takes over a session. KEYS: log, session, due. ARGV: epoch, node, sid, format, namespace, subject, prefix,
-- the time after the beginning of an epoch in which an owner may confirm the session, the maximum number of claims within
-- a window, the window, the time to live of a session.
-- Returns 'GONE', 'NOT_YET', 'DUEL', or {position, claim, start, born, known, data, ends, rooms}, the last two flat.
if is_stale() then return redis.error_reply(STALE) end
local session = to_map(redis.call('HGETALL', KEYS[2]))
if session.v ~= ARGV[4] or session.ns ~= ARGV[5] or session.sub ~= ARGV[6] then return 'GONE' end
local now = now_ms()
if session.epoch ~= ARGV[1] then
  -- Not yet confirmed in this epoch, so the session may have lost something; its owner may still confirm it.
  local log = redis.call('HMGET', KEYS[1], 'end:' .. session.epoch, 'since')
  local last, is_broken = end_of(log[1])
  if last and not is_broken and now - tonumber(log[2]) < tonumber(ARGV[8]) then return 'NOT_YET' end
  return 'GONE'
end
-- Counted over all gateways: two tabs that hold the same session may be on two.
local lately = {}
for claimed in string.gmatch(session.claims or '', '%d+') do
  if tonumber(claimed) > now - tonumber(ARGV[10]) then lately[#lately + 1] = claimed end
end
if #lately >= tonumber(ARGV[9]) then return 'DUEL' end
lately[#lately + 1] = string.format('%d', now)
-- Adds memberships of a gateway whose version has no index. Looked up before anything is written: see publish.
local unknown = {}
for stream, intervals in pairs(session) do
  local members = ARGV[7] .. 'members:' .. stream
  if string.find(stream, ':', 1, true) and is_open(intervals) and not redis.call('ZSCORE', members, ARGV[3]) then
    unknown[stream] = members
  end
end
local position = take_position()
local claim = redis.call('HINCRBY', KEYS[2], 'claim', 1)
redis.call('HSET', KEYS[2], 'node', ARGV[2], 'claims', table.concat(lately, ','))
-- The caller drops its own socket on the reply, because servers differ in when a client gets its own push.
if session.node ~= ARGV[2] then
  redis.call('SPUBLISH', ARGV[7] .. 'node:' .. session.node, 'f' .. ARGV[3] .. ' ' .. claim)
end
for stream, members in pairs(unknown) do index(members, KEYS[3], stream, ARGV[3], now, ARGV[11]) end
local ends, rooms = {}, {}
for field, value in pairs(to_map(redis.call('HGETALL', KEYS[1]))) do
  if string.sub(field, 1, 4) == 'end:' then
    local last, is_broken = end_of(value)
    ends[#ends + 1] = string.sub(field, 5)
    ends[#ends + 1] = last
    ends[#ends + 1] = is_broken and 1 or 0
  end
end
for field, value in pairs(session) do
  if string.find(field, ':', 1, true) then
    rooms[#rooms + 1] = field
    rooms[#rooms + 1] = value
  end
end
return {position, claim, tonumber(session.start), session.born, tonumber(session.known), session.data, ends, rooms}
