-- Who is in a room. KEYS: log, members of the stream. ARGV: prefix, stream, most sessions, most bytes of what they say of
-- themselves; 0: nothing of it.
-- Returns {how many there are, at least, flat: sid, node, subject, what is told of its client, data}; whoever ended is left
-- out.
local total, found, size, most = redis.call('ZCARD', KEYS[2]), {}, 0, tonumber(ARGV[4])
-- The latest first: at the other end are those that may have ended.
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
