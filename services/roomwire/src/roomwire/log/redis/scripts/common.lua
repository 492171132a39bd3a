-- Precedes every script. KEYS[1] is the log's hash, ARGV[1] the caller's epoch.
-- Every change of the log takes a position, so that a lost change is detected like a lost message.
local STALE = 'EPOCH another epoch has begun'

local function is_stale()
  return redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1]
end

local function take_position()
  return redis.call('HINCRBY', KEYS[1], 'seq', 1)
end

local function to_map(flat)
  local map = {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return map
end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns the last position of an epoch from its `end:`, and whether entries were lost; nil if nothing is known.
local function end_of(text)
  if not text then return nil end
  return tonumber(string.match(text, '^%d+')), string.find(text, 'broken', 1, true) ~= nil
end
