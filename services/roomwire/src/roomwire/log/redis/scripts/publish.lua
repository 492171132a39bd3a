-- Appends a batch of one gateway's publishes.
-- KEYS: log, the gateway's last number, the stream of each publish, the histories. ARGV: epoch, prefix, time to live of the
-- number, the number that must have been accepted last (0 for any), maximum number of entries of a stream, time to live of
-- a stream, time to live of a message id, number of histories; then for each publish: number, channel ('' for a socket's
-- stream), stored message, message id ('' for none); then for each history: the publish that it belongs to, the entry,
-- maximum number of entries, time to live in seconds.
-- Returns for each publish: its position; 0 if its number was accepted before; minus the position of an earlier publish
-- with its message id; 'GONE' if the socket's session does not exist; 'UNREAD' if a registered gateway does not
-- read the message's format; 'UNSURE' if its number was accepted before and the message may have been refused as 'UNREAD'
-- then; or an error.
if is_stale() then return redis.error_reply(STALE) end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last < tonumber(ARGV[4]) then return redis.error_reply('CHAIN the batch before this one was not taken') end

local epoch, prefix, count = ARGV[1], ARGV[2], #KEYS - 2 - tonumber(ARGV[8])

-- For a publish: its history, the place of its entry in ARGV, and the error if the key has another type.
local histories = {}
for j = 1, tonumber(ARGV[8]) do
  local at = 5 + 4 * (count + j)
  local newest = redis.pcall('XREVRANGE', KEYS[2 + count + j], '+', '-', 'COUNT', 1)
  histories[tonumber(ARGV[at])] = { KEYS[2 + count + j], at, newest['err'] and newest }
end

-- Data under other keys than KEYS are looked up before anything is written: while a cluster moves the slot, such a lookup
-- fails if the data are not here, and then nothing was done. These are owners of sockets' sessions and positions of message ids.
local owners, earlier = {}, {}
for i = 1, count do
  local at = 5 + 4 * i
  local channel, message_id = ARGV[at + 1], ARGV[at + 3]
  if channel == '' then
    owners[i] = redis.call('HGET', prefix .. 'session:' .. string.sub(KEYS[i + 2], #prefix + 8), 'node')
  end
  if message_id ~= '' then earlier[message_id] = redis.call('GET', prefix .. 'mid:' .. message_id) end
end

-- The format of a stored message is its first byte. Formats above 1 narrow the audience: a gateway that does not read one
-- would have to close every transport in the room. So each has to have announced it, as long as its entry is valid.
local function format_of(blob)
  return string.byte(blob) or 0
end

local function is_read_by_all(format)
  local known, now = to_map(redis.call('HGETALL', prefix .. 'reads')), now_ms()
  for name, value in pairs(to_map(redis.call('HGETALL', prefix .. 'registry'))) do
    local expires, node = string.match(value, '^(%d+) (%S+)')
    local holder, reads = string.match(known[name] or '', '^(%S+) (%d+)$')
    if expires and tonumber(expires) > now and (holder ~= node or tonumber(reads) < format) then return false end
  end
  return true
end

local is_read = {}
for i = 1, count do
  local format = format_of(ARGV[5 + 4 * i + 2])
  if format > 1 and is_read[format] == nil then is_read[format] = is_read_by_all(format) end
end

-- All positions at once, including those of refused publishes: gaps mean nothing. This is the first write of the script.
local position = redis.call('HINCRBY', KEYS[1], 'seq', count) - count
local highest = tonumber(ARGV[5 + 4 * count])
if highest > last then redis.call('SET', KEYS[2], highest, 'PX', ARGV[3]) end

local function append(key, channel, owner, blob, message_id, history)
  if history and history[3] then return history[3] end
  local data
  if channel == '' then
    -- A socket's stream is pushed to the node that holds the session.
    if not owner then return 'GONE' end
    position = position + 1
    channel = prefix .. 'node:' .. owner
    data = 'e' .. epoch .. ' ' .. position .. ' ' .. string.sub(key, #prefix + 6) .. ' ' .. blob
  else
    position = position + 1
    data = epoch .. ' ' .. position .. ' ' .. blob
  end
  local added = redis.pcall('XADD', key, 'MAXLEN', '~', ARGV[5], position .. '-0', 'e', blob)
  if type(added) == 'table' then return added end
  redis.call('PEXPIRE', key, ARGV[6])
  if history then
    redis.call('XADD', history[1], 'MAXLEN', ARGV[history[2] + 2], '*', 'e', ARGV[history[2] + 1])
    redis.call('EXPIRE', history[1], ARGV[history[2] + 3])
  end
  if message_id ~= '' then
    redis.call('SET', prefix .. 'mid:' .. message_id, position, 'PX', ARGV[7])
    earlier[message_id] = position
  end
  redis.call('SPUBLISH', channel, data)
  return position
end

local results = {}
for i = 1, count do
  local at = 5 + 4 * i
  local message_id = ARGV[at + 3]
  local format = format_of(ARGV[at + 2])
  if tonumber(ARGV[at]) <= last then
    results[i] = (format > 1 and not earlier[message_id]) and 'UNSURE' or 0
  elseif earlier[message_id] then
    results[i] = -tonumber(earlier[message_id])
  elseif is_read[format] == false then
    results[i] = 'UNREAD'
  else
    results[i] = append(KEYS[i + 2], ARGV[at + 1], owners[i], ARGV[at + 2], message_id, histories[i])
  end
end
return results
