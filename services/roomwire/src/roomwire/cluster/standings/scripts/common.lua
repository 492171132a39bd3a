-- The time of Redis in milliseconds, and the rest of a ban or mute at that time.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function left(key) return math.max(0, tonumber(redis.call('GET', key) or '0') - now) end
