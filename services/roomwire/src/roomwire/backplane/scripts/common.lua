-- Stands before every script. KEYS[1] is the log's hash, ARGV[1] the caller's epoch.
-- A lost change of the log must show like a lost message: whatever changes the log takes a position.
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
