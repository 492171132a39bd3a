-- Taking a session over. KEYS: log, session. ARGV: epoch, node, sid, format, namespace, subject, prefix,
-- how long an owner may confirm it after an epoch began.
-- Returns 'GONE', 'NOT_YET', or {position, claim, start, known, data, ends, rooms}, the last two flat.
if is_stale() then return redis.error_reply(STALE) end
local session = to_map(redis.call('HGETALL', KEYS[2]))
if session.v ~= ARGV[4] or session.ns ~= ARGV[5] or session.sub ~= ARGV[6] then return 'GONE' end
if session.epoch ~= ARGV[1] then
  -- Nobody has shown in this epoch that the session lost nothing; while there is time, its owner may.
  local log = redis.call('HMGET', KEYS[1], 'end:' .. session.epoch, 'since')
  local time = redis.call('TIME')
  local age = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(log[2])
  if log[1] and tonumber(log[1]) >= 0 and age < tonumber(ARGV[8]) then return 'NOT_YET' end
  return 'GONE'
end
local position = take_position()
local claim = redis.call('HINCRBY', KEYS[2], 'claim', 1)
redis.call('HSET', KEYS[2], 'node', ARGV[2])
-- Its own socket a node drops when it gets the reply: where a push to oneself stands is not the same on all servers.
if session.node ~= ARGV[2] then
  redis.call('SPUBLISH', ARGV[7] .. 'node:' .. session.node, 'f' .. ARGV[3] .. ' ' .. claim)
end
local ends, rooms = {}, {}
for field, value in pairs(to_map(redis.call('HGETALL', KEYS[1]))) do
  if string.sub(field, 1, 4) == 'end:' then
    ends[#ends + 1] = string.sub(field, 5)
    ends[#ends + 1] = tonumber(value)
  end
end
for field, value in pairs(session) do
  if string.find(field, ':', 1, true) then
    rooms[#rooms + 1] = field
    rooms[#rooms + 1] = value
  end
end
return {position, claim, tonumber(session.start), tonumber(session.known), session.data, ends, rooms}
