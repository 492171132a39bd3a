-- A batch of one gateway's publishes.
-- KEYS: log, the gateway's last number, stream of each. ARGV: epoch, prefix, time to live of the number,
-- number that must have been taken before (0: any), most entries of a stream, time to live of a stream, of a message
-- id; then of each: number, channel ('' for a socket's stream), stored message, message id ('' for none).
-- Returns of each: its position; 0 if its number was taken before; minus the position of an earlier publish with its
-- message id; 'GONE' if the socket's session does not exist; or an error.
if is_stale() then return redis.error_reply(STALE) end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last < tonumber(ARGV[4]) then return redis.error_reply('CHAIN the batch before this one was not taken') end

local epoch, prefix, count = ARGV[1], ARGV[2], #KEYS - 2
-- All positions at once, those of refused publishes too: gaps mean nothing. The first write of the script.
local position = redis.call('HINCRBY', KEYS[1], 'seq', count) - count
local highest = tonumber(ARGV[4 + 4 * count])
if highest > last then redis.call('SET', KEYS[2], highest, 'PX', ARGV[3]) end

local function append(key, channel, blob, message_id)
  local data
  if channel == '' then
    -- A socket's stream: pushed to the node that its session is on.
    local stream = string.sub(key, #prefix + 6)
    local owner = redis.call('HGET', prefix .. 'session:' .. string.sub(stream, 3), 'node')
    if not owner then return 'GONE' end
    position = position + 1
    channel = prefix .. 'node:' .. owner
    data = 'e' .. epoch .. ' ' .. position .. ' ' .. stream .. ' ' .. blob
  else
    position = position + 1
    data = epoch .. ' ' .. position .. ' ' .. blob
  end
  local added = redis.pcall('XADD', key, 'MAXLEN', '~', ARGV[5], position .. '-0', 'e', blob)
  if type(added) == 'table' then return added end
  redis.call('PEXPIRE', key, ARGV[6])
  if message_id ~= '' then redis.call('SET', prefix .. 'mid:' .. message_id, position, 'PX', ARGV[7]) end
  redis.call('SPUBLISH', channel, data)
  return position
end

local results = {}
for i = 1, count do
  local at = 4 + 4 * i
  local message_id, earlier = ARGV[at + 3], false
  if tonumber(ARGV[at]) <= last then
    results[i] = 0
  else
    if message_id ~= '' then earlier = redis.call('GET', prefix .. 'mid:' .. message_id) end
    if earlier then
      results[i] = -tonumber(earlier)
    else
      results[i] = append(KEYS[i + 2], ARGV[at + 1], ARGV[at + 2], message_id)
    end
  end
end
return results
