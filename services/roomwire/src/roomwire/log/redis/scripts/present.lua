-- Lists the sessions in a room. KEYS: log, members of the stream. ARGV: prefix, stream, maximum number of sessions, maximum
-- bytes of their descriptions and data; 0 reads neither.
-- Returns {number of sessions in the index, flat: sid, node, subject, description of its client, data}, both without
-- sessions that were found to have ended.
local total, found, size, most = redis.call('ZCARD', KEYS[2]), {}, 0, tonumber(ARGV[4])
-- The latest first: those at the other end may have ended.
for _, sid in ipairs(redis.call('ZREVRANGE', KEYS[2], 0, ARGV[3] - 1)) do
  local key, about, data = ARGV[1] .. 'session:' .. sid, '', ''
  local session = redis.call('HMGET', key, 'node', 'sub', ARGV[2])
  if is_open(session[3]) then
    if most > 0 then
      local said = redis.call('HMGET', key, 'about', 'data')
      about, data = said[1] or '', said[2]
      size = size + #about + #data
      if size > most then break end
    end
    for _, part in ipairs({sid, session[1], session[2], about, data}) do found[#found + 1] = part end
  else
    total = total - 1
  end
end
return {total, found}
