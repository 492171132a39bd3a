-- Counts a socket of a user, unless the user is banned or has the maximum number of others.
-- KEYS: the user's sockets, ban, mute. ARGV: the socket, its node, the maximum number of sockets (0 disables the limit), the
-- milliseconds for which a socket counts.
-- Returns the milliseconds left of ban and mute, and whether the socket is admitted.
local banned, muted, most = left(KEYS[2]), left(KEYS[3]), tonumber(ARGV[3])
if banned > 0 or most == 0 then return { banned, muted, banned > 0 and 0 or 1 } end

local held, others = redis.call('HGETALL', KEYS[1]), 0
for i = 1, #held, 2 do
  if tonumber(string.match(held[i + 1], '^%d+')) <= now then
    redis.call('HDEL', KEYS[1], held[i])
  elseif held[i] ~= ARGV[1] then
    others = others + 1
  end
end
if others >= most then return { banned, muted, 0 } end

redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now + ARGV[4], ARGV[2]))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return { banned, muted, 1 }
