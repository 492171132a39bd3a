-- Stops counting a socket, unless another node has admitted it since.
-- KEYS: the user's sockets. ARGV: the socket, its node.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held and string.match(held, ' (.*)$') == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
