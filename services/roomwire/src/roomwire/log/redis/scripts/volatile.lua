-- Volatile messages of one gateway, which are pushed and not appended. KEYS: log. ARGV: epoch, prefix; then of each: stream,
-- stored message. A push at position 0 is volatile. A gateway that does not know volatile messages ignores it, as it has reached
-- that position. Returns nothing.
if is_stale() then return redis.error_reply(STALE) end
local epoch, prefix = ARGV[1], ARGV[2]
for i = 3, #ARGV, 2 do
  local stream, data = ARGV[i], ARGV[i + 1]
  if string.sub(stream, 1, 2) == 's:' then
    -- A socket's stream: pushed to the node that its session is on.
    local owner = redis.call('HGET', prefix .. 'session:' .. string.sub(stream, 3), 'node')
    if owner then
      redis.call('SPUBLISH', prefix .. 'node:' .. owner, 'e' .. epoch .. ' 0 ' .. stream .. ' ' .. data)
    end
  else
    redis.call('SPUBLISH', prefix .. 'ch:' .. stream, epoch .. ' 0 ' .. data)
  end
end
