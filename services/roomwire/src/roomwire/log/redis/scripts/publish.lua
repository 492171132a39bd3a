-- Appends a batch of one gateway's publishes.
-- KEYS: log, the gateway's last number, the stream of each publish, the histories. ARGV: epoch, prefix, time to live of the
-- number, the number that must have been accepted last (0 for any), maximum number of entries of a stream, time to live of
-- a stream, time to live of a message id, number of histories, limits of the guard, maximum bytes of a stream, maximum
-- number of entries of a socket's stream; then for each publish: number, channel ('' for a socket's
-- stream), stored message, message id ('' for none); then for each history: the publish that it belongs to, the entry,
-- maximum number of entries, time to live in seconds.
-- Returns for each publish: its position; 0 if its number was accepted before; minus the position of an earlier publish
-- with its message id; 'GONE' if the socket's session does not exist; 'FULL' if the guard refuses a new room; 'UNREAD' if a registered gateway does not
-- read the message's format; 'UNSURE' if its number was accepted before and the message may have been refused as 'UNREAD'
-- then; or an error.
if is_stale() then return redis.error_reply(STALE) end
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last < tonumber(ARGV[4]) then return redis.error_reply('CHAIN the batch before this one was not taken') end

local epoch, prefix, count = ARGV[1], ARGV[2], #KEYS - 2 - tonumber(ARGV[8])
local limits, most_bytes = ARGV[9], tonumber(ARGV[10])
local most_of_a_room, most_of_a_socket = tonumber(ARGV[5]), tonumber(ARGV[11])

-- For a publish: its history, the place of its entry in ARGV, and the error if the key has another type.
local histories = {}
for j = 1, tonumber(ARGV[8]) do
  local at = 8 + 4 * (count + j)
  local newest = redis.pcall('XREVRANGE', KEYS[2 + count + j], '+', '-', 'COUNT', 1)
  histories[tonumber(ARGV[at])] = { KEYS[2 + count + j], at, newest['err'] and newest, newest }
end

-- Data under other keys than KEYS are looked up before anything is written: while a cluster moves the slot, such a lookup
-- fails if the data are not here, and then nothing was done. These are owners of sockets' sessions and positions of message ids.
local owners, transient, earlier = {}, {}, {}
for i = 1, count do
  local at = 8 + 4 * i
  local channel, message_id = ARGV[at + 1], ARGV[at + 3]
  if channel == '' then
    local session = prefix .. 'session:' .. string.sub(KEYS[i + 2], #prefix + 8)
    owners[i] = redis.call('HGET', session, 'node')
    transient[i] = redis.call('HGET', session, 'transient')
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
  local format = format_of(ARGV[8 + 4 * i + 2])
  if format > 1 and is_read[format] == nil then is_read[format] = is_read_by_all(format) end
end

-- All positions at once, including those of refused publishes: gaps mean nothing. This is the first write of the script.
local position = redis.call('HINCRBY', KEYS[1], 'seq', count) - count
local highest = tonumber(ARGV[8 + 4 * count])
if highest > last then redis.call('SET', KEYS[2], highest, 'PX', ARGV[3]) end

-- Adds an entry to a stream. Of what is sent to a client that cannot be recovered, only its position stays: a gateway whose link was
-- lost meanwhile learns from it that there was something.
local function add(key, id, blob, most, is_transient)
  local stored, kind = blob, '~'
  if is_transient then
    stored, kind, most = '', '=', 0
  elseif #blob * most > most_bytes then
    most = math.max(1, math.floor(most_bytes / #blob))
  end
  local added = redis.pcall('XADD', key, 'NOMKSTREAM', 'MAXLEN', kind, most, id, 'e', stored)
  if added then return added end
  if not guard().may_begin(prefix, limits, string.sub(key, #prefix + 6), #stored) then return 'FULL' end
  if is_transient then return redis.pcall('XADD', key, 'MAXLEN', '=', 0, id, 'e', '') end
  return redis.pcall('XADD', key, id, 'e', blob)
end

local function append(key, channel, owner, is_transient, blob, message_id, history)
  if history and history[3] then return history[3] end
  local data, most
  if channel == '' then
    -- A socket's stream is pushed to the node that holds the session.
    if not owner then return 'GONE' end
    position = position + 1
    most = most_of_a_socket
    channel = prefix .. 'node:' .. owner
    data = 'e' .. epoch .. ' ' .. position .. ' ' .. string.sub(key, #prefix + 6) .. ' ' .. blob
  else
    position = position + 1
    most = most_of_a_room
    data = epoch .. ' ' .. position .. ' ' .. blob
  end
  local added = add(key, position .. '-0', blob, most, is_transient)
  if added == 'FULL' or type(added) == 'table' then return added end
  redis.call('PEXPIRE', key, ARGV[6])
  if history then
    local entry, entries, ttl_s = ARGV[history[2] + 1], ARGV[history[2] + 2], ARGV[history[2] + 3]
    keep_entry(prefix, limits, string.sub(key, #prefix + 6), history[1], history[4], entry, entries, ttl_s)
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
  local at = 8 + 4 * i
  local message_id = ARGV[at + 3]
  local format = format_of(ARGV[at + 2])
  if tonumber(ARGV[at]) <= last then
    results[i] = (format > 1 and not earlier[message_id]) and 'UNSURE' or 0
  elseif earlier[message_id] then
    results[i] = -tonumber(earlier[message_id])
  elseif is_read[format] == false then
    results[i] = 'UNREAD'
  else
    results[i] = append(KEYS[i + 2], ARGV[at + 1], owners[i], transient[i], ARGV[at + 2], message_id, histories[i])
  end
end
return results
