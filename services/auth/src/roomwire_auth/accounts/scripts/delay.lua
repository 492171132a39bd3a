-- Charges an attempt at an account in advance, unless the account's last failures are too recent.
-- KEYS: the account's failures. ARGV: time in seconds, failures without a wait, longest wait in seconds, time to live in seconds.
-- Each failure beyond those without a wait doubles the wait, from one second on.
-- Returns 0, or the seconds left to wait.
local now, free, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local failures, ends = unpack(redis.call('HMGET', KEYS[1], 'failures', 'ends'))
-- Another machine's clock may have set the end.
local left = math.min(math.ceil(tonumber(ends or 0) - now), longest)
if left > 0 then return left end
failures = tonumber(failures or 0) + 1
local wait = failures > free and math.min(longest, 2 ^ math.min(failures - free - 1, 30)) or 0
redis.call('HSET', KEYS[1], 'failures', failures, 'ends', string.format('%.0f', math.ceil(now) + wait))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 0
