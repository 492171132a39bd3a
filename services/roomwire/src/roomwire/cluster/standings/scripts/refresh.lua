-- Reports that sockets of a node are still connected.
-- KEYS: for each socket its user's sockets, ban, mute. ARGV: the node, the milliseconds for which a socket counts, then each
-- socket, or '' if it does not count.
-- Returns for each socket the milliseconds left of its user's ban and mute.
local ends = string.format('%.0f %s', now + ARGV[2], ARGV[1])
local found = {}
for i = 3, #ARGV do
  local key = 3 * (i - 3) + 1
  if ARGV[i] ~= '' then
    redis.call('HSET', KEYS[key], ARGV[i], ends)
    redis.call('PEXPIRE', KEYS[key], ARGV[2])
  end
  found[#found + 1] = left(KEYS[key + 1])
  found[#found + 1] = left(KEYS[key + 2])
end
return found
